"""How much to label at a time: little while the model is unsure, more where people would wait for it."""

from __future__ import annotations

import pytest

from nextlabel.evaluation.batches import batch_advice


@pytest.mark.parametrize(
    ("error", "seconds", "least", "most"),
    [
        (None, None, 5, 10),
        (0.4, None, 5, 20),
        (0.4, 120.0, 5, 20),
        (0.15, 120.0, 50, 100),
        (0.15, 3.0, 20, 50),
        (0.15, None, 20, 50),
        (0.02, 3.0, 50, 100),
    ],
)
def test_it_goes_by_how_unsure_the_model_is_and_how_long_a_label_takes(
    error: float | None, seconds: float | None, least: int, most: int
) -> None:
    found = batch_advice(error=error, seconds=seconds)
    assert (found.least, found.most) == (least, most)
    assert found.window >= found.most
    assert found.sentence.startswith(f"Label {least} to {most} at a time: ")
