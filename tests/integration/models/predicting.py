# ruff: noqa
# mypy: ignore-errors
"""Models of 1.x that only predict, as most of those for label-studio-ml do."""

import os
import time

from label_studio_ml.model import LabelStudioMLBase


class Lengths(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        answers = []
        for task in tasks:
            text = task["data"]["text"]
            if text.startswith("raise"):
                raise ValueError("cannot read this")
            if text.startswith("leave"):
                os._exit(5)
            answers.append({"result": [], "score": 1 / (1 + len(text) % 17)})
        return answers


class Slow(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        time.sleep(0.15 * len(tasks))
        return [{"result": [], "score": 0.5} for _ in tasks]


class Regions(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        return [
            {
                "result": [
                    {
                        "from_name": "label",
                        "to_name": "text",
                        "type": "choices",
                        "value": {"choices": ["ham"]},
                        "score": score,
                    }
                    for score in (1 / (1 + len(task["data"]["text"]) % 7), 1 / (1 + len(task["data"]["text"]) % 11))
                ]
            }
            for task in tasks
        ]


class Silent(LabelStudioMLBase):
    """As interactive models are without a context; and there is nothing that it could learn."""

    def predict(self, tasks, **kwargs):
        return []

    def fit(self, tasks, workdir=None, **kwargs):
        with open(os.path.join(os.path.dirname(os.path.dirname(workdir)), "fits.txt"), "a") as log:
            log.write(f"{len(tasks)} {kwargs.get('event')}\n")
