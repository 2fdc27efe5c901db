# ruff: noqa
# mypy: ignore-errors
from label_studio_ml.model import LabelStudioMLBase


class Greedy(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": 0.9} for _ in tasks]

    def fit(self, tasks, workdir=None, **kwargs):
        eaten = []
        while True:
            eaten.append(bytearray(300 * 2**20))
