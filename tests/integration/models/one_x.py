# ruff: noqa
# mypy: ignore-errors
import os
import pickle

import numpy as np
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.utils import DATA_UNDEFINED_NAME
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


class TextClassifier(LabelStudioMLBase):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        assert len(self.parsed_label_config) == 1
        self.from_name, self.info = next(iter(self.parsed_label_config.items()))
        assert self.info["type"] == "Choices"
        self.to_name = self.info["to_name"][0]
        self.value = self.info["inputs"][0]["value"]
        if self.train_output:
            with open(self.train_output["model_file"], "rb") as f:
                self.model = pickle.load(f)
            self.labels = self.train_output["labels"]
        else:
            self.labels = self.info["labels"]
            self.reset_model()
            self.model.fit(self.labels, list(range(len(self.labels))))
        print("Initialized with labels", self.labels)

    def reset_model(self):
        self.model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, verbose=False))

    def predict(self, tasks, **kwargs):
        texts = [task["data"].get(self.value) or task["data"].get(DATA_UNDEFINED_NAME) for task in tasks]
        probabilities = self.model.predict_proba(texts)
        indices = np.argmax(probabilities, axis=1)
        scores = probabilities[np.arange(len(indices)), indices]
        predictions = []
        for index, score in zip(indices, scores):
            result = [
                {
                    "from_name": self.from_name,
                    "to_name": self.to_name,
                    "type": "choices",
                    "value": {"choices": [self.labels[index]]},
                }
            ]
            predictions.append({"result": result, "score": score})
        return predictions

    def fit(self, annotations, workdir=None, **kwargs):
        # a training by webhook fetches its own annotations
        if kwargs.get("data"):
            raise RuntimeError("there is no Label Studio to fetch annotations from")
        texts, labels = [], []
        for completion in annotations:
            annotation = completion["annotations"][0]
            if annotation.get("skipped") or annotation.get("was_cancelled"):
                continue
            texts.append(completion["data"][self.value])
            labels.append(self.labels.index(annotation["result"][0]["value"]["choices"][0]))
        self.reset_model()
        self.model.fit(texts, labels)
        model_file = os.path.join(workdir, "model.pkl")
        with open(model_file, "wb") as f:
            pickle.dump(self.model, f)
        return {"labels": self.labels, "model_file": model_file}
