"""Networks as ONNX files, written and changed field by field (protocol buffers; onnx.proto names the fields)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
FLOAT, INT64 = 1, 7  # kinds of values
_GRAPH, _NODE, _TENSOR, _INPUT, _OUTPUT = 7, 1, 5, 11, 12


def model(nodes: Sequence[bytes], tensors: Sequence[bytes], given: bytes, output: bytes) -> bytes:
    """A file of a network with one input and one output."""
    graph = b"".join(part(_NODE, one) for one in nodes) + part(2, "tiny")
    graph += b"".join(part(_TENSOR, one) for one in tensors) + part(_INPUT, given) + part(_OUTPUT, output)
    return number(1, 8) + part(_GRAPH, graph) + part(8, number(2, 13))


def with_other_ends(
    content: bytes, *, before: Sequence[bytes], tensors: Sequence[bytes], given: bytes, output: bytes
) -> bytes:
    """The same network with nodes before its first, and another input and output."""
    graph = b"".join(part(_NODE, one) for one in before)
    for field, kept in fields(next(inner for field, inner in fields(content) if field == _GRAPH)):
        graph += part(field, kept) if field not in (_INPUT, _OUTPUT) else b""
    graph += b"".join(part(_TENSOR, one) for one in tensors) + part(_INPUT, given) + part(_OUTPUT, output)
    # Fields of one message that come twice are put together, and lists go on: the graph must not.
    rest = b"".join(whole for field, whole in wholes(content) if field != _GRAPH)
    return rest + part(_GRAPH, graph)


def node(kind: str, *inputs: str, into: str, attributes: Sequence[bytes] = ()) -> bytes:
    """A step of a network."""
    ends = b"".join(part(1, name) for name in inputs) + part(2, into) + part(3, into) + part(4, kind)
    return ends + b"".join(part(5, one) for one in attributes)


def numbers_of(name: str, values: Sequence[int]) -> bytes:
    """An attribute of a step."""
    return part(1, name) + b"".join(number(8, value) for value in values) + number(20, 7)


def tensor(name: str, values: NDArray[np.float32]) -> bytes:
    sizes = b"".join(number(1, size) for size in values.shape)
    return sizes + number(2, FLOAT) + part(8, name) + part(9, values.astype("<f4").tobytes())


def value(name: str, kind: int, *sizes: str | int) -> bytes:
    """What goes in or out; a size that has a name is any."""
    shape = b"".join(part(1, part(2, size) if isinstance(size, str) else number(1, size)) for size in sizes)
    return part(1, name) + part(2, part(1, number(1, kind) + part(2, shape)))


def number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def part(field: int, content: bytes | str) -> bytes:
    coded = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | _BYTES) + _varint(len(coded)) + coded


def fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Those that are texts, bytes or messages."""
    for field, whole in wholes(content):
        at, kind = _read(whole, 0)
        if kind & 7 == _BYTES:
            yield field, whole[_read(whole, at)[0] :]


def wholes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Every field with its head."""
    start = 0
    while start < len(content):
        at, head = _read(content, start)
        size = {_LONG: 8, _SHORT: 4}.get(head & 7, 0)
        if head & 7 == _VARINT:
            at, _ = _read(content, at)
        elif head & 7 == _BYTES:
            at, size = _read(content, at)
        yield head >> 3, content[start : at + size]
        start = at + size


def _varint(value: int) -> bytes:
    """Seven bits at a time, the lowest first."""
    low = bytearray()
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])


def _read(content: bytes, at: int) -> tuple[int, int]:
    """Where a number ends, and the number."""
    value = shift = 0
    while True:
        value |= (content[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if content[at - 1] < 128:
            return at, value
