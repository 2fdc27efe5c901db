"""A project's model as an ONNX graph, from its stored state: for models on tables, vectors and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextlabel.errors import ConfigurationError
from nextlabel.estimators.choice import LinearChoice
from nextlabel.estimators.choices import LinearChoices
from nextlabel.estimators.graph import Graph
from nextlabel.estimators.linear import LinearScores
from nextlabel.estimators.number import LinearNumber
from nextlabel.features import image, visual_words
from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.encoders import RecordEncoder, SideBySide, TextEncoder
from nextlabel.features.image_embedding import ImageEmbeddingEncoder
from nextlabel.features.spaces import AsItIs, Centred, Curved, Scaled
from nextlabel.features.tabular import FURTHEST, LARGEST, TabularEncoder
from nextlabel.labeling.ranking import Floats

State = Mapping[str, Any]

_WORDS = "it reads words, which nextlabel itself counts"
_UNKNOWN = "ONNX has no graph for what it reads"
_NOT_THESE: Mapping[str, str] = {
    TextEncoder.kind: _WORDS,
    "pdf": _WORDS,
    "audio": "it reads sounds, which nextlabel itself describes",
    "video": "it reads videos, which nextlabel itself describes",
    "series": "it reads series of numbers, which nextlabel itself describes",
    "list": "it reads lists of files, of any length",
    "compared": "it compares two things",
    "spans": "it marks spans of texts",
    "ranking": "it orders items",
    "offered": "its labels are those that each task offers",
}


class _CannotBe(Exception):
    """Why a target cannot be written, as a clause."""


@dataclass(frozen=True, slots=True)
class OnnxInput:
    """What an input is, in words, and Python that makes one row of it with nothing known."""

    words: str
    example: str


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """The file, its inputs by name, and by target why it was left out."""

    content: bytes
    inputs: Mapping[str, OnnxInput]
    left_out: Mapping[str, str]


_Given = dict[str, OnnxInput]


def as_onnx(state: State, about: Mapping[str, str]) -> OnnxModel:
    """What a project's model says of each target, from `ProjectModel.state`.

    Outputs are, of a single choice, ``TARGET.label`` and ``TARGET.probabilities``; of several labels
    ``TARGET.chances`` and ``TARGET.given``; of a number ``TARGET.mean`` and ``TARGET.spread``. The labels, in the order
    of the columns, stand in the metadata as ``TARGET.labels``, and what each input is as ``INPUT.input``.

    Raises `ConfigurationError` where no target can be written so, or the package onnx is missing.
    """
    graph, given = Graph(), _Given()
    left_out, labels = dict[str, str](), dict[str, str]()
    for target, parts in state["targets"].items():
        estimator, before = parts["estimator"], graph.size
        try:
            _write(graph, given, target, parts)
        except _CannotBe as why:
            left_out[target] = str(why)
            graph.cut(before)
        else:
            names = estimator.get("classes") or estimator.get("labels") or ()
            labels[f"{target}.labels"] = json.dumps(list(names), ensure_ascii=False)
    if len(left_out) == len(state["targets"]):
        reasons = "; ".join(f"'{target}': {why}" for target, why in left_out.items())
        raise ConfigurationError(
            f"This model cannot be written as ONNX ({reasons}). ONNX is for models on tables, vectors and pictures; "
            "export it as skops instead."
        )
    inputs = {name: given[name] for name in graph.inputs}
    words = {f"{name}.input": one.words for name, one in inputs.items()}
    return OnnxModel(graph.content({**about, **labels, **words}), inputs, left_out)


def _write(graph: Graph, given: _Given, target: str, parts: State) -> None:
    estimator = parts["estimator"]
    write = _ESTIMATORS.get(estimator["kind"])
    if write is None:
        raise _CannotBe(_NOT_THESE.get(estimator["kind"].partition("/")[0], "it has learned nothing yet"))
    space = (estimator.get("scores") or estimator)["space"]
    write(graph, target, estimator, _encoded(graph, given, parts["encoder"], space))


# --- from fields to features ------------------------------------------------------------------------------------------


def _encoded(graph: Graph, given: _Given, state: State, space: State) -> str:
    """Features, n × d, not weighed unless the encoder itself weighs. ``space`` is how they will be."""
    write = _ENCODERS.get(state["kind"])
    if write is None:
        raise _CannotBe(_NOT_THESE.get(state["kind"], _UNKNOWN))
    return write(graph, given, state, space)


def _tabular(graph: Graph, given: _Given, state: State, space: State) -> str:
    columns = [_number(graph, given, name, *scale) for name, scale in state["numbers"].items()]
    for name, values in state["categories"].items():
        some = ", ".join(map(repr, values[:3]))
        given[name] = OnnxInput(
            f"text, n × 1, such as {some}; '' where it is missing", 'np.array([[""]], dtype=object)'
        )
        cell = graph.input(name, "string", 1)
        known = graph.op("OneHotEncoder", cell, domain="ai.onnx.ml", cats_strings=list(values), zeros=1)
        columns.append(graph.op("Reshape", known, graph.shape(-1, len(values))))
    if not columns:
        raise _CannotBe("its tasks hold nothing that tells one from another")
    return graph.op("Concat", *columns, axis=1)


def _number(graph: Graph, given: _Given, name: str, mean: float, spread: float) -> str:
    given[name] = OnnxInput("a number in double precision, n × 1; NaN where it is missing", "np.array([[np.nan]])")
    cell = graph.input(name, "double", 1)
    too_large = graph.op("GreaterOrEqual", graph.op("Abs", cell), graph.double(LARGEST))
    scaled = graph.op("Div", graph.op("Sub", cell, graph.double(mean)), graph.double(spread))
    clipped = graph.op("Clip", scaled, graph.double(-FURTHEST), graph.double(FURTHEST))
    missing = graph.op("Or", graph.op("IsNaN", cell), too_large)
    return graph.cast(graph.op("Where", missing, graph.double(0), clipped), "float")


def _record(graph: Graph, given: _Given, state: State, _: State) -> str:
    """Weighed already, as its parts are."""
    parts = [
        _weighed(graph, _encoded(graph, given, one["encoder"], one["space"]), one["space"]) for one in state["parts"]
    ]
    if not parts:
        raise _CannotBe("its tasks hold nothing that tells one from another")
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _side_by_side(graph: Graph, given: _Given, state: State, _: State) -> str:
    """Where a part has nothing of a row, it adds nothing to it."""
    parts = []
    for one in state["parts"]:
        features = _encoded(graph, given, one["encoder"], one["space"])
        parts.append(_zero_where_empty(graph, features, _weighed(graph, features, one["space"])))
    if not parts:
        raise _CannotBe("its tasks hold nothing that tells one from another")
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _vector(graph: Graph, given: _Given, state: State, space: State) -> str:
    """Of texts or pictures that a network has read; the network itself is a file of its own."""
    if "words" in state:
        raise _CannotBe(_WORDS)
    name, several = " ".join(state["fields"]), len(state["fields"]) > 1
    if several and state["kind"] == ImageEmbeddingEncoder.kind:
        raise _CannotBe("it reads several pictures of a task by a network")
    width = len(space["centred"]["mean"] if "centred" in space else space["mean"])
    words = f"the vector by the network in {state['folder']} ({state['model']}), n × {width}"
    given[name] = OnnxInput(words, f"np.zeros((1, {width}), dtype=np.float32)")
    return graph.input(name, "float", width)


def _picture(graph: Graph, given: _Given, state: State, space: State) -> str:
    words = state.get("words")
    side = image.SMALL if words is None else visual_words.SIDE
    parts = []
    for name in state["fields"]:
        size = f"({side}, {side}), Image.Resampling.BILINEAR, reducing_gap=3.0"
        what = (
            f"pictures, n × {side} × {side} × 3, from 0 to 1: "
            f"np.asarray(Image.open(PATH).convert('RGB').resize({size}), dtype=np.float32) / 255"
        )
        given[name] = OnnxInput(what, f"np.zeros((1, {side}, {side}, 3), dtype=np.float32)")
        pixels = graph.op("Transpose", graph.input(name, "float", side, side, 3), perm=[0, 3, 1, 2])
        parts.append(_described(graph, pixels, words))
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _described(graph: Graph, pixels: str, words: Floats | None) -> str:
    """`image.row_of` of decoded pictures."""
    side, small = image.SMALL, pixels
    if words is not None:
        cell = visual_words.SIDE // side
        small = graph.op("AveragePool", pixels, kernel_shape=[cell, cell], strides=[cell, cell])
    edges = _gradients(graph, _grey(graph, small), image.CELL, image.DIRECTIONS)
    flat = graph.op("Reshape", graph.op("Transpose", edges, perm=[0, 2, 3, 1]), graph.shape(0, -1))
    total = graph.op("Add", graph.op("ReduceSum", flat, graph.shape(1), keepdims=1), graph.single(1e-3))
    step = side // image.LAYOUT
    layout = graph.op("AveragePool", small, kernel_shape=[step, step], strides=[step, step])
    colours = graph.op("Reshape", graph.op("Transpose", layout, perm=[0, 2, 3, 1]), graph.shape(0, -1))
    parts = [
        graph.op("Sqrt", graph.op("Div", flat, total)),
        graph.op("Mul", colours, graph.single(image.LAYOUT_WEIGHT)),
    ]
    if words is not None:
        parts.append(graph.op("Mul", _found(graph, pixels, words), graph.single(float(image.WORDS_WEIGHT))))
    return graph.op("Concat", *parts, axis=1)


def _grey(graph: Graph, pixels: str) -> str:
    return graph.op("ReduceMean", pixels, axes=[1], keepdims=1)


def _gradients(graph: Graph, grey: str, cell: int, directions: int) -> str:
    """`visual_words.gradients`, n × directions × side × side: each pixel counts for the two directions nearest to its
    own, the nearer one more."""
    padded = graph.op("Pad", grey, graph.shape(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
    kernel = np.zeros((1, 1, 3, 3), dtype=np.float32)
    kernel[0, 0, 1, 0], kernel[0, 0, 1, 2] = -1, 1
    across = graph.op("Conv", padded, graph.constant(kernel))
    down = graph.op("Conv", padded, graph.constant(kernel.transpose(0, 1, 3, 2)))
    squares = graph.op("Add", graph.op("Mul", across, across), graph.op("Mul", down, down))
    strength = graph.op("Sqrt", squares)
    flat = graph.op("Equal", across, graph.single(0))
    slope = graph.op("Div", down, graph.op("Where", flat, graph.single(1e-30), across))
    angle = graph.op("Atan", slope)
    upright = graph.op("Add", angle, graph.single(np.pi))
    turned = graph.op("Where", graph.op("Less", angle, graph.single(0)), upright, angle)
    turn = graph.op("Mul", graph.op("Div", turned, graph.single(np.pi)), graph.single(directions))
    each = np.arange(directions, dtype=np.float32).reshape(1, directions, 1, 1)
    off = graph.op("Abs", graph.op("Sub", turn, graph.constant(each)))
    off = graph.op("Min", off, graph.op("Sub", graph.single(directions), off))
    share = graph.op("Relu", graph.op("Sub", graph.single(1), off))
    means = graph.op("AveragePool", graph.op("Mul", share, strength), kernel_shape=[cell, cell], strides=[cell, cell])
    return graph.op("Mul", means, graph.single(cell * cell))


def _found(graph: Graph, pixels: str, words: Floats) -> str:
    """`VisualWords.found_in`, n × words."""
    cell, directions, piece = visual_words.CELL, visual_words.DIRECTIONS, visual_words.PIECE
    grid = graph.op("Sqrt", _gradients(graph, _grey(graph, pixels), cell, directions))
    kernels = words.reshape(len(words), directions, piece, piece).astype(np.float32)
    met = graph.op("Conv", grid, graph.constant(kernels))
    ones = np.ones((1, directions, piece, piece), dtype=np.float32)
    length = graph.op("Sqrt", graph.op("Conv", graph.op("Mul", grid, grid), graph.constant(ones)))
    longest = graph.op("ReduceMax", length, axes=[1, 2, 3], keepdims=1)
    least = graph.op(
        "Max", graph.op("Mul", longest, graph.single(visual_words.FAINT)), graph.single(visual_words.FAINTEST)
    )
    cosines = graph.op("Div", met, graph.op("Max", length, least))
    return graph.op("ReduceMax", cosines, axes=[2, 3], keepdims=0)


_ENCODERS: Mapping[str, Callable[[Graph, _Given, State, State], str]] = {
    TabularEncoder.kind: _tabular,
    RecordEncoder.kind: _record,
    SideBySide.kind: _side_by_side,
    ImageEmbeddingEncoder.kind: _vector,
    EmbeddingEncoder.kind: _vector,
    "image": _picture,
}


# --- weighing ---------------------------------------------------------------------------------------------------------


def _weighed(graph: Graph, features: str, space: State) -> str:
    match space["kind"]:
        case AsItIs.kind:
            return features
        case Centred.kind:
            return _centred(graph, features, space)
        case Curved.kind:
            return _curved(graph, features, space)
        case Scaled.kind:
            off = graph.op(
                "Div", graph.op("Sub", features, graph.constant(space["mean"])), graph.constant(space["spread"])
            )
            clipped = graph.op("Clip", off, graph.single(-5), graph.single(5))
            return _zero_where_empty(graph, features, _curved(graph, clipped, space["curved"]))
        case _:
            raise _CannotBe(_WORDS)


def _centred(graph: Graph, features: str, space: State) -> str:
    off = graph.op("Sub", features, graph.constant(np.asarray(space["mean"], dtype=np.float32)))
    return graph.op("Div", off, graph.single(space["length"]))


def _curved(graph: Graph, features: str, space: State) -> str:
    """Nearness in double precision, as there."""
    plain = _centred(graph, features, space["centred"])
    landmarks = np.asarray(space["landmarks"], dtype=np.float64)
    if not len(landmarks):
        return plain
    exact = graph.cast(plain, "double")
    own = graph.op("ReduceSum", graph.op("Mul", exact, exact), graph.shape(1), keepdims=1)
    products = graph.op("MatMul", exact, graph.constant(-2 * landmarks.T))
    theirs = graph.constant((landmarks**2).sum(axis=1)[None, :])
    distances = graph.op("Max", graph.op("Add", graph.op("Add", own, products), theirs), graph.double(0))
    near = graph.op("Exp", graph.op("Mul", distances, graph.double(-space["gamma"])))
    curves = graph.op("MatMul", near, graph.constant(np.asarray(space["weights"], dtype=np.float64)))
    return graph.op("Concat", plain, graph.cast(curves, "float"), axis=1)


def _zero_where_empty(graph: Graph, features: str, weighed: str) -> str:
    """A row of zeros is one of which nothing is known."""
    held = graph.op("ReduceSum", graph.op("Abs", features), graph.shape(1), keepdims=1)
    return graph.op("Where", graph.op("Greater", held, graph.single(0)), weighed, graph.single(0))


# --- what is said of them ---------------------------------------------------------------------------------------------


def _scores(graph: Graph, features: str, state: State) -> str:
    """`LinearScores`."""
    kept = LinearScores.from_state(state)
    weights = np.zeros((kept.space.columns, len(state["intercept"])), dtype=np.float32)
    weights[state["columns"]] = state["weights"]
    weighed = _weighed(graph, features, state["space"])
    products = graph.op("MatMul", weighed, graph.constant(weights))
    return graph.op("Add", products, graph.constant(np.asarray(state["intercept"], dtype=np.float32)))


def _choice(graph: Graph, target: str, state: State, features: str) -> None:
    classes, seen = state["classes"], np.asarray(state["seen"])
    scores = graph.op("Div", _scores(graph, features, state["scores"]), graph.single(state["temperature"]))
    chances = graph.op("Softmax", scores, axis=1)
    k = len(classes)
    if len(seen) < k:
        unseen = 1 / (state["labels"] + k)
        places, rest = np.zeros((len(seen), k), dtype=np.float32), np.full((1, k), unseen, dtype=np.float32)
        places[np.arange(len(seen)), seen], rest[0, seen] = 1 - unseen * (k - len(seen)), 0
        chances = graph.op("Add", graph.op("MatMul", chances, graph.constant(places)), graph.constant(rest))
    best = graph.op("ArgMax", chances, axis=1, keepdims=0)
    names = graph.constant(np.array(classes, dtype=object))
    graph.output(graph.op("Gather", names, best, axis=0), f"{target}.label", "string")
    graph.output(chances, f"{target}.probabilities", "float", k)


def _choices(graph: Graph, target: str, state: State, features: str) -> None:
    chances, n = graph.op("Sigmoid", _scores(graph, features, state["scores"])), len(state["labels"])
    graph.output(chances, f"{target}.chances", "float", n)
    given = graph.op("GreaterOrEqual", chances, graph.single(state["threshold"]))
    graph.output(given, f"{target}.given", "bool", n)


def _mean_and_spread(graph: Graph, target: str, state: State, features: str) -> None:
    """`LinearNumber`: the mean is a sum of weighed columns; how sure it is, by what lies in the directions that the
    labels have explored, and what lies outside."""
    kept = LinearNumber.from_state(state)
    weighed = graph.cast(_weighed(graph, features, state["space"]), "double")
    places = graph.op("MatMul", weighed, graph.constant(kept.directions))
    means = graph.op("MatMul", places, graph.constant(np.asarray(state["weights"], dtype=np.float64)[:, None]))
    mean = graph.op("Add", means, graph.double(state["intercept"]))
    off = graph.op("Sub", places, graph.constant(np.asarray(state["centre"], dtype=np.float64)))
    turned = graph.op("MatMul", off, graph.constant(np.asarray(state["covariance"], dtype=np.float64)))
    known, outside = (
        _sum(graph, turned, off),
        graph.op("Sub", _sum(graph, weighed, weighed), _sum(graph, places, places)),
    )
    unexplored = graph.op("Mul", graph.op("Max", outside, graph.double(0)), graph.double(state["prior"]))
    variance = graph.op("Add", graph.op("Add", known, unexplored), graph.double(state["noise"]))
    for value, name in ((mean, "mean"), (graph.op("Sqrt", variance), "spread")):
        graph.output(graph.op("Reshape", graph.cast(value, "float"), graph.shape(-1)), f"{target}.{name}", "float")


def _sum(graph: Graph, one: str, other: str) -> str:
    """Row by row the inner product, n × 1."""
    return graph.op("ReduceSum", graph.op("Mul", one, other), graph.shape(1), keepdims=1)


_ESTIMATORS: Mapping[str, Callable[[Graph, str, State, str], None]] = {
    LinearChoice.kind: _choice,
    LinearChoices.kind: _choices,
    LinearNumber.kind: _mean_and_spread,
}
