# ruff: noqa
# mypy: ignore-errors
import os
import time

from label_studio_ml.model import LabelStudioMLBase


class Waiting(LabelStudioMLBase):
    """Takes as long to load as a file is there."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        while os.path.exists(os.environ["WAITING_WHILE"]):
            time.sleep(0.02)

    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": 0.5} for _ in tasks]
