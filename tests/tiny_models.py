"""Folders of embeddings with tiny models, made by hand, so that every number is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
    nodes = [_node("Conv", "x", "rgb", into="colours"), _node("Relu", "colours", into="map")]
    if pooled:
        nodes += [_node("GlobalAveragePool", "map", into="mean"), _node("Flatten", "mean", into="vector")]
    output = _value("vector", 1, "batch", "width") if pooled else _value("map", 1, "batch", "channel", "h", "w")
    (folder / "model.onnx").write_bytes(_onnx(nodes, ("rgb", weights), _value("x", 1, "batch", 3, side, side), output))
    return folder


def _onnx_gather(table: np.ndarray) -> bytes:
    """``last_hidden_state = table[input_ids]``."""
    nodes = [_node("Gather", "table", "input_ids", into="last_hidden_state")]
    output = _value("last_hidden_state", 1, "batch", "sequence", "width")
    return _onnx(nodes, ("table", table), _value("input_ids", 7, "batch", "sequence"), output)


def _onnx(nodes: Sequence[bytes], weights: tuple[str, np.ndarray], given: bytes, output: bytes) -> bytes:
    """A model in protocol buffers, field by field: see onnx.proto."""
    name, tensor = weights
    kept = b"".join(_number(1, size) for size in tensor.shape) + _number(2, 1) + _part(8, name)
    graph = b"".join(_part(1, node) for node in nodes) + _part(2, "tiny") + _part(5, kept + _part(9, tensor.tobytes()))
    return _number(1, 8) + _part(7, graph + _part(11, given) + _part(12, output)) + _part(8, _number(2, 13))


def _node(kind: str, *inputs: str, into: str) -> bytes:
    return b"".join(_part(1, name) for name in inputs) + _part(2, into) + _part(3, into) + _part(4, kind)


def _value(name: str, kind: int, *sizes: str | int) -> bytes:
    shape = b"".join(_part(1, _part(2, size) if isinstance(size, str) else _number(1, size)) for size in sizes)
    return _part(1, name) + _part(2, _part(1, _number(1, kind) + _part(2, shape)))


def _number(field: int, value: int) -> bytes:
    low, high = value & 127, value >> 7
    return bytes([field << 3, low | 128, high] if high else [field << 3, low])


def _part(field: int, content: bytes | str) -> bytes:
    coded = content.encode() if isinstance(content, str) else content
    return bytes([field << 3 | 2, len(coded) & 127 | 128, len(coded) >> 7]) + coded
