# ruff: noqa
# mypy: ignore-errors
import os
import pickle
from collections import Counter

import numpy as np
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.utils import DATA_UNDEFINED_NAME


# Not scikit-learn's, which each of the many processes that tests start would load for two seconds; two_x.py has it.
def learned(texts, labels, names):
    """Naive Bayes, tempered: of each label how often each word was seen with it."""
    if len(set(labels)) < 2:
        raise ValueError("there must be two labels at least")
    counts = [Counter() for _ in names]
    for text, label in zip(texts, labels):
        counts[label].update(text.lower().split())
    return counts


def probabilities_of(counts, text):
    seen = np.array([[count[word] for count in counts] for word in text.lower().split()] or [[0] * len(counts)])
    scores = np.exp(0.15 * np.log(seen + 1).sum(axis=0))
    return scores / scores.sum()


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
            self.model = learned(self.labels, range(len(self.labels)), self.labels)
        print("Initialized with labels", self.labels)

    def predict(self, tasks, **kwargs):
        texts = [task["data"].get(self.value) or task["data"].get(DATA_UNDEFINED_NAME) for task in tasks]
        probabilities = np.array([probabilities_of(self.model, text) for text in texts])
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
        self.model = learned(texts, labels, self.labels)
        model_file = os.path.join(workdir, "model.pkl")
        with open(model_file, "wb") as f:
            pickle.dump(self.model, f)
        return {"labels": self.labels, "model_file": model_file}
