"""The one release of label-studio-ml pins Flask 1.1; its code runs on the Flask that is locked here."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest


def test_label_studio_ml_serves_under_the_locked_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from label_studio_ml.api import init_app
        from label_studio_ml.model import LabelStudioMLBase

    class Parrot(LabelStudioMLBase):  # type: ignore[misc]
        """Says the same of every task."""

        def predict(self, tasks: list[object], **kwargs: object) -> list[dict[str, object]]:
            return [{"result": [], "score": 0.5} for _ in tasks]

    app = init_app(Parrot, model_dir=str(tmp_path), redis_queue="default", redis_host="localhost", redis_port=1)
    client = app.test_client()
    assert client.get("/health").json["status"] == "UP"
    assert client.post("/setup", json={"project": "1.1", "schema": "<View/>"}).status_code == 200
    body = {"project": "1.1", "label_config": "<View/>", "tasks": [{"id": 1, "data": {}}]}
    assert client.post("/predict", json=body).json["results"] == [{"result": [], "score": 0.5}]
