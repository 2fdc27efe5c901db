"""Folders of embeddings with tiny models, made by hand, so that every number is known."""

from __future__ import annotations

import json
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


def _onnx_gather(table: np.ndarray) -> bytes:
    """``last_hidden_state = table[input_ids]`` in protocol buffers, field by field: see onnx.proto."""

    def number(field: int, value: int) -> bytes:
        return bytes([field << 3, value])

    def part(field: int, content: bytes | str) -> bytes:
        coded = content.encode() if isinstance(content, str) else content
        return bytes([field << 3 | 2, len(coded) & 127 | 128, len(coded) >> 7]) + coded

    def value(name: str, kind: int, *sizes: str) -> bytes:
        shape = b"".join(part(1, part(2, size)) for size in sizes)
        return part(1, name) + part(2, part(1, number(1, kind) + part(2, shape)))

    weights = number(1, table.shape[0]) + number(1, table.shape[1]) + number(2, 1) + part(8, "table")
    node = part(1, "table") + part(1, "input_ids") + part(2, "last_hidden_state") + part(4, "Gather")
    graph = part(1, node) + part(2, "tiny") + part(5, weights + part(9, table.tobytes()))
    graph += part(11, value("input_ids", 7, "batch", "sequence"))
    graph += part(12, value("last_hidden_state", 1, "batch", "sequence", "width"))
    return number(1, 8) + part(7, graph) + part(8, number(2, 13))
