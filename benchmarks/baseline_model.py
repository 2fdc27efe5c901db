"""What prediction is compared with: label-studio-ml's own server around its plainest text model.

Words by scikit-learn's `TfidfVectorizer`, logistic regression on top, as in label-studio-ml-backend's
``sklearn_text_classifier``. For ``gunicorn benchmarks.baseline_model:app``.
"""

from __future__ import annotations

from typing import Any

from label_studio_ml.api import init_app
from label_studio_ml.model import LabelStudioMLBase
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.mails import mails

_TRAINED_ON = 1000


class TextClassifier(LabelStudioMLBase):  # type: ignore[misc]
    """Trained when it is loaded; each request uses the one that its process has."""

    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
    pipeline.fit(*zip(*mails()[:_TRAINED_ON], strict=True))

    def predict(self, tasks: list[dict[str, Any]], **kwargs: object) -> list[dict[str, object]]:
        p = self.pipeline.predict_proba([task["data"]["text"] for task in tasks])
        labels = self.pipeline.classes_
        (name, control), *_ = self.parsed_label_config.items()
        return [
            {
                "result": [
                    {
                        "from_name": name,
                        "to_name": control["to_name"][0],
                        "type": "choices",
                        "value": {"choices": [str(labels[best])]},
                    }
                ],
                "score": float(row[best]),
            }
            for row, best in zip(p, p.argmax(axis=1), strict=True)
        ]


app = init_app(TextClassifier)
