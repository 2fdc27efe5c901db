# ruff: noqa
# mypy: ignore-errors
"""Finds the bright patch of a picture, and learns from people's boxes what each place is called."""

import base64
import io
import json
import os

import numpy as np
from label_studio_ml.model import LabelStudioMLBase
from PIL import Image


class Boxes(LabelStudioMLBase):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        ((self.control, info),) = self.parsed_label_config.items()
        self.object, self.field = info["to_name"][0], info["inputs"][0]["value"]
        self.labels = info["labels"]
        self.places = {}
        if self.train_output:
            with open(self.train_output["places"]) as f:
                self.places = json.load(f)

    def predict(self, tasks, **kwargs):
        return [self.check(task) for task in tasks]

    def check(self, task):
        picture = Image.open(io.BytesIO(base64.b64decode(task["data"][self.field].split(",")[1])))
        pixels = np.asarray(picture.convert("L"), dtype=float)
        bright = pixels > 150
        if not bright.any() or not self.places:
            return {"result": []}
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        height, width = pixels.shape
        x, y = 100 * columns[0] / width, 100 * rows[0] / height
        w, h = 100 * (columns[-1] + 1) / width - x, 100 * (rows[-1] + 1) / height - y
        middle = x + w / 2
        off = {label: abs(middle - place) for label, place in self.places.items()}
        label = min(off, key=off.get)
        value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [label]}
        region = {
            "id": "region1",
            "from_name": self.control,
            "to_name": self.object,
            "type": "rectanglelabels",
            "original_width": width,
            "original_height": height,
            "value": value,
            "score": float(bright[rows[0] : rows[-1] + 1].mean()),
        }
        return {"result": [region]}

    def fit(self, tasks, workdir=None, **kwargs):
        seen = {}
        for task in tasks:
            for region in task["annotations"][0]["result"]:
                value = region["value"]
                seen.setdefault(value["rectanglelabels"][0], []).append(value["x"] + value["width"] / 2)
        path = os.path.join(workdir, "places.json")
        with open(path, "w") as f:
            json.dump({label: sum(places) / len(places) for label, places in seen.items()}, f)
        return {"places": path}


class Careless(Boxes):
    """Says things that the labeling config has no room for."""

    def predict(self, tasks, **kwargs):
        odd = [
            [
                {
                    "from_name": "thing",
                    "to_name": "image",
                    "type": "rectanglelabels",
                    "value": {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["no such label"]},
                }
            ],
            [{"from_name": "nothing", "to_name": "nowhere", "type": "choices", "value": {"choices": ["a"]}}],
            [{"odd": True}],
            [],
        ]
        return [{"result": odd[task["id"] % 4], "score": 1 / (2 + task["id"] % 9)} for task in tasks]
