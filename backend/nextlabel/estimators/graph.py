"""ONNX graphs, written node by node: what of a model is computed there must be what is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextlabel.errors import ConfigurationError

OPSET, ML_OPSET, IR = 17, 3, 9
"""Operators that every onnxruntime from 1.13 on has."""


class Graph:
    """A graph that grows. Values go by name; those made here begin with an underscore."""

    def __init__(self) -> None:
        """Raises `ConfigurationError` where ``onnx`` is missing."""
        self._onnx = _onnx()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: dict[str, Any] = {}
        self._outputs: list[Any] = []

    def input(self, name: str, kind: str, *shape: int) -> str:
        """A value that is given: ``kind`` is float, double or string, ``shape`` that of one row."""
        if name not in self._inputs:
            of_kind = getattr(self._onnx.TensorProto, kind.upper())
            self._inputs[name] = self._onnx.helper.make_tensor_value_info(name, of_kind, ["rows", *shape])
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"_c{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, operator: str, *values: str, domain: str = "", **settings: object) -> str:
        """The value that an operator makes of others."""
        name = f"_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, values, [name], domain=domain, **settings))
        return name

    def output(self, value: str, name: str, kind: str, *shape: int) -> None:
        of_kind = getattr(self._onnx.TensorProto, kind.upper())
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, of_kind, ["rows", *shape]))

    def cast(self, value: str, kind: str) -> str:
        return self.op("Cast", value, to=getattr(self._onnx.TensorProto, kind.upper()))

    def single(self, number: float) -> str:
        """A constant in single precision."""
        return self.constant(np.array(number, dtype=np.float32))

    def double(self, number: float) -> str:
        return self.constant(np.array(number, dtype=np.float64))

    def shape(self, *sizes: int) -> str:
        return self.constant(np.array(sizes, dtype=np.int64))

    @property
    def size(self) -> tuple[int, int, int, int]:
        """For `cut`."""
        return len(self._nodes), len(self._constants), len(self._inputs), len(self._outputs)

    def cut(self, size: tuple[int, int, int, int]) -> None:
        """Take back all that was added since."""
        nodes, constants, inputs, outputs = size
        del self._nodes[nodes:], self._constants[constants:], self._outputs[outputs:]
        self._inputs = dict(list(self._inputs.items())[:inputs])

    @property
    def inputs(self) -> Sequence[str]:
        return list(self._inputs)

    def content(self, about: Mapping[str, str]) -> bytes:
        """The file, checked. ``about`` stands in its metadata."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "nextlabel", list(self._inputs.values()), self._outputs, initializer=self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="nextlabel")
        helper.set_model_props(model, dict(about))
        self._onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _onnx() -> Any:
    try:
        import onnx  # noqa: PLC0415 - an extra
        import onnx.checker  # noqa: PLC0415
        import onnx.numpy_helper  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError('ONNX needs the package onnx: pip install "nextlabel[onnx]".') from error
    return onnx
