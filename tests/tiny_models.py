"""Folders of embeddings with tiny models, made by hand, so that every number is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from benchmarks import onnx_files as onnx
from benchmarks.onnx_files import FLOAT, INT64, node, value

WORDS = ("[UNK]", "good", "bad", "film", "the")
TABLE = np.array([[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0.5, 0]], dtype=np.float32)


def write_tokenizer(folder: Path) -> None:
    """Words between spaces, and a habit of padding that must not count."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    how = {
        "version": "1.0",
        "padding": {
            "strategy": {"Fixed": 9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[UNK]",
        },
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(how), encoding="utf-8")


def write_safetensors(path: Path, **tensors: np.ndarray) -> None:
    kinds = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64"}
    header, data = {"__metadata__": {"by": "a test"}}, b""
    for name, tensor in tensors.items():
        end = len(data) + tensor.nbytes
        header[name] = {"dtype": kinds[str(tensor.dtype)], "shape": tensor.shape, "data_offsets": (len(data), end)}  # type: ignore[dict-item]
        data += tensor.tobytes()
    coded = json.dumps(header).encode()
    path.write_bytes(len(coded).to_bytes(8, "little") + coded + data)


def static(folder: Path) -> Path:
    write_tokenizer(folder)
    write_safetensors(folder / "model.safetensors", embeddings=TABLE.astype(np.float16))
    return folder


def shared_rows(folder: Path) -> Path:
    """As newer model2vec folders are: tokens share rows of the table and have weights of their own."""
    write_tokenizer(folder)
    rows = np.array([[0, 0, 1], [2, 0, 0], [0, 4, 0]], dtype=np.float32)
    mapping, weights = np.array([0, 1, 1, 2, 2]), np.array([1, 0.5, -0.5, 0.25, 0.125])
    write_safetensors(folder / "model.safetensors", embeddings=rows, mapping=mapping, weights=weights)
    return folder


def sentences(folder: Path) -> Path:
    """An ONNX model that looks the tokens up: hidden states of a transformer that has nothing to add."""
    write_tokenizer(folder)
    (folder / "model.onnx").write_bytes(_onnx_gather(TABLE))
    return folder


def pictures(folder: Path, *, pooled: bool = False, side: str | int = "side") -> Path:
    """An ONNX model that sees at each place how much redder than green it is, how much greener than red, and blue.

    It gives a map of three channels, or with ``pooled`` their means. ``side`` is the height and width that it takes.
    """
    weights = np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 1]], dtype=np.float32).reshape(3, 3, 1, 1)
    nodes = [node("Conv", "x", "rgb", into="colours"), node("Relu", "colours", into="map")]
    if pooled:
        nodes += [node("GlobalAveragePool", "map", into="mean"), node("Flatten", "mean", into="vector")]
    output = value("vector", FLOAT, "batch", "width") if pooled else value("map", FLOAT, "batch", "channel", "h", "w")
    network = onnx.model(nodes, [onnx.tensor("rgb", weights)], value("x", FLOAT, "batch", 3, side, side), output)
    (folder / "model.onnx").write_bytes(network)
    return folder


def _onnx_gather(table: np.ndarray) -> bytes:
    """``last_hidden_state = table[input_ids]``."""
    nodes = [node("Gather", "table", "input_ids", into="last_hidden_state")]
    output = value("last_hidden_state", FLOAT, "batch", "sequence", "width")
    return onnx.model(nodes, [onnx.tensor("table", table)], value("input_ids", INT64, "batch", "sequence"), output)
