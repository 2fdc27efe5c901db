# ruff: noqa
# mypy: ignore-errors
import logging
import os
import pickle
from typing import Dict, List, Optional

import label_studio_sdk
import numpy as np
from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.response import ModelResponse
from label_studio_ml.utils import DATA_UNDEFINED_NAME
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

logger = logging.getLogger(__name__)

_model: Optional[Pipeline] = None


class TextClassifier(LabelStudioMLBase):
    LABEL_STUDIO_HOST = os.getenv("LABEL_STUDIO_HOST", "http://localhost:8080")
    LABEL_STUDIO_API_KEY = os.getenv("LABEL_STUDIO_API_KEY")
    MODEL_DIR = os.getenv("MODEL_DIR", ".")

    def setup(self):
        if not self.has("trainings"):
            self.set("trainings", "0")
        self.set("model_version", f"{self.__class__.__name__}-v{self.get('trainings')}")

    def get_model(self, blank=False):
        global _model
        if _model is not None and not blank:
            return _model
        path = os.path.join(self.MODEL_DIR, "model.pkl")
        if blank or not os.path.exists(path):
            _model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, verbose=True))
            labels = self.get_params()["labels"]
            _model.fit(labels, list(range(len(labels))))
        else:
            logger.info(f"Loading model from {path}")
            with open(path, "rb") as f:
                _model = pickle.load(f)
        return _model

    def get_params(self) -> Dict:
        from_name, to_name, value = self.label_interface.get_first_tag_occurence("Choices", "Text")
        labels = sorted(self.label_interface.get_tag(from_name).labels)
        assert labels == sorted(self.parsed_label_config[from_name]["labels"])
        return {"from_name": from_name, "to_name": to_name, "value": value, "labels": labels}

    def predict(self, tasks: List[Dict], context: Optional[Dict] = None, **kwargs) -> ModelResponse:
        params = self.get_params()
        texts = [task["data"].get(params["value"]) or task["data"].get(DATA_UNDEFINED_NAME) for task in tasks]
        probabilities = self.get_model().predict_proba(texts)
        indices = np.argmax(probabilities, axis=1)
        predictions = []
        for row, index in enumerate(indices):
            result = [
                {
                    "from_name": params["from_name"],
                    "to_name": params["to_name"],
                    "type": "choices",
                    "value": {"choices": [params["labels"][index]]},
                }
            ]
            predictions.append({"result": result, "score": probabilities[row, index]})
        return ModelResponse(predictions=predictions, model_version=self.get("model_version"))

    def _get_tasks(self, project_id: int) -> List[Dict]:
        ls = label_studio_sdk.Client(self.LABEL_STUDIO_HOST, self.LABEL_STUDIO_API_KEY)
        return ls.get_project(id=project_id).get_labeled_tasks()

    def fit(self, event, data, **kwargs):
        if event not in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "START_TRAINING"):
            logger.info(f"Skip training: event {event} is not supported")
            return
        tasks = self._get_tasks(data["annotation"]["project"])
        params = self.get_params()
        texts, labels = [], []
        for task in tasks:
            for annotation in task["annotations"]:
                if not annotation.get("result") or annotation.get("was_cancelled"):
                    continue
                texts.append(task["data"][params["value"]])
                labels.append(params["labels"].index(annotation["result"][0]["value"]["choices"][0]))
        model = self.get_model(blank=True)
        model.fit(texts, labels)
        with open(os.path.join(self.MODEL_DIR, "model.pkl"), "wb") as f:
            pickle.dump(model, f)
        self.set("trainings", str(int(self.get("trainings")) + 1))
