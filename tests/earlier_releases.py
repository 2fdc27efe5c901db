"""What releases before 0.1.1 wrote, for tests of an upgrade."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nextlabel_connectors.label_studio import queue
from nextlabel_connectors.label_studio.payloads import window_score


def _scores(predictions: Sequence[object]) -> list[float]:
    return [window_score(rank, len(predictions)) for rank in range(len(predictions))]


def score_windows_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a window's scores in Label Studio are its places, whatever the model says of the tasks."""
    monkeypatch.setattr(queue, "window_scores", _scores)
