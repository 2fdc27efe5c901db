"""Models as ONNX graphs: pictures from their pixels, several targets, and what no graph can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from nextlabel.errors import ConfigurationError
from nextlabel.estimators.as_onnx import as_onnx
from nextlabel.estimators.fitting import fit
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.features.cache import VectorCache
from nextlabel.features.encoders import encoder_for
from nextlabel.features.source import Source
from nextlabel.labeling import Input, Label, Target, Task, TaskId
from nextlabel.measures.target_predictions import ChoicePredictions, ChoicesPredictions

Values = NDArray[Any]
CLOSE = 1e-4
DIGITS = tuple(map(str, range(10)))


def learned(target: Target, tasks: Sequence[Task], labels: Sequence[Label], n: int, source: Source) -> Learned:
    encoder = encoder_for(target, tasks, source)
    features = encoder.encode(tasks, source)
    return Learned(encoder, fit(target, tasks[:n], features[:n], labels[:n], encoder.space(features), 0).model)


def answers(content: bytes, given: Mapping[str, Values]) -> dict[str, Values]:
    session = onnxruntime.InferenceSession(content)
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(given)), strict=True))


def tasks_of(rows: Sequence[Mapping[str, object]]) -> list[Task]:
    return [Task(TaskId(str(n)), row) for n, row in enumerate(rows)]


@pytest.mark.parametrize("n", [15, 60])  # without and with visual words
def test_pictures_are_answered_alike_from_the_pixels_that_the_instructions_name(n: int, tmp_path: Path) -> None:
    digits: Any = load_digits()
    files = {}
    for place, pixels in enumerate(digits.images[:n]):
        content = BytesIO()
        Image.fromarray((pixels * 15).astype(np.uint8)).resize((40, 56)).save(content, "PNG")
        files[f"{place}.png"] = content.getvalue()
    source = Source(file=files.__getitem__, vectors=VectorCache(tmp_path))
    tasks, labels = tasks_of([{"image": name} for name in files]), [DIGITS[one] for one in digits.target[:n]]
    target = Target("digit", "choice", (Input("image", "image"),), DIGITS)
    model = ProjectModel({"digit": learned(target, tasks, labels, n * 3 // 4, source)})
    made = as_onnx(model.state(), {})
    known = onnxruntime.InferenceSession(made.content).get_modelmeta().custom_metadata_map
    read = _as_instructed(known["image.input"])
    found = answers(made.content, {"image": np.stack([read(content) for content in files.values()])})
    expected = cast(ChoicePredictions, model.predict(tasks, source)["digit"])
    assert np.abs(found["digit.probabilities"] - expected.probabilities).max() < CLOSE
    assert np.ptp(found["digit.probabilities"]) > 0.3


def _as_instructed(words: str) -> Callable[[bytes], Values]:
    """How the instructions have a picture read."""
    code = words.partition(": ")[2]
    names = {"np": np, "Image": Image}
    return lambda content: cast(Values, eval(code, names | {"PATH": BytesIO(content)}))  # noqa: S307 - our own words


def test_several_labels_and_a_class_without_any_are_answered_alike() -> None:
    wine: Any = load_wine(as_frame=True)
    names = list(map(str, wine.feature_names))
    rows = wine.frame[wine.feature_names].to_dict("records")
    tasks, inputs = tasks_of(rows), tuple(map(Input, names))
    kinds = [str(one) for one in wine.target]
    notes = [tuple(name for name in ("ash", "hue") if row[name] > wine.frame[name].mean()) for row in rows]
    of_kind = Target("kind", "choice", inputs, ("0", "1", "2", "never"))
    of_notes = Target("notes", "choices", inputs, ("ash", "hue", "never"))
    source, seen = Source(), list(range(0, len(rows), 2))
    some = [tasks[n] for n in seen]
    model = ProjectModel(
        {
            "kind": learned(of_kind, some, [kinds[n] for n in seen], len(seen), source),
            "notes": learned(of_notes, some, [notes[n] for n in seen], len(seen), source),
        }
    )
    given = {name: np.array([[row[name]] for row in rows], dtype=np.float64) for name in names}
    found, expected = answers(as_onnx(model.state(), {}).content, given), model.predict(tasks, source)
    kind, note = cast(ChoicePredictions, expected["kind"]), cast(ChoicesPredictions, expected["notes"])
    assert np.abs(found["kind.probabilities"] - kind.probabilities).max() < CLOSE
    assert np.abs(found["notes.chances"] - note.chances).max() < CLOSE
    assert (found["notes.given"] == note.given).all()


def test_a_target_that_reads_words_is_left_out_and_the_others_need_nothing_of_it() -> None:
    rows = [{"age": float(n), "text": f"{'good' if n % 3 else 'bad'} day {n}"} for n in range(60)]
    tasks, source, labels = tasks_of(rows), Source(), ["old" if n > 30 else "young" for n in range(60)]
    by_age = learned(Target("by age", "choice", (Input("age"),), ("old", "young")), tasks, labels, 60, source)
    by_text = learned(Target("by text", "choice", (Input("text"),), ("old", "young")), tasks, labels, 60, source)
    made = as_onnx(ProjectModel({"by text": by_text, "by age": by_age}).state(), {})
    assert (list(made.inputs), list(made.left_out)) == (["age"], ["by text"])
    assert "words" in made.left_out["by text"]
    assert answers(made.content, {"age": np.array([[2.0], [58.0]])})["by age.label"].tolist() == ["young", "old"]
    with pytest.raises(ConfigurationError, match=r"'by text': it reads words.*skops"):
        as_onnx(ProjectModel({"by text": by_text}).state(), {})
