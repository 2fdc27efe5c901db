"""A team's own model as teams have them, for `benchmarks.sharing`: a transformer that takes milliseconds a task."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

from nextlabel.features.embedding import load_model

FOLDER = "BENCHMARK_SENTENCE_MODEL"


class Moods(LabelStudioMLBase):  # type: ignore[misc]
    """Sure of a text as far as its vector points one way; it only predicts."""

    def predict(self, tasks: list[dict[str, Any]], **kwargs: object) -> list[dict[str, object]]:
        vectors = load_model(Path(os.environ[FOLDER])).embed([task["data"]["text"] for task in tasks])
        return [
            {
                "result": [
                    {
                        "from_name": "label",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["ham" if vector[0] > 0 else "spam"]},
                    }
                ],
                "score": float(abs(vector[0])),
            }
            for vector in vectors
        ]
