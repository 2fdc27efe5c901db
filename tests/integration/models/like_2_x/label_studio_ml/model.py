# ruff: noqa
# mypy: ignore-errors
import json
import os
import sqlite3

from label_studio_sdk.label_interface import LabelInterface

from .response import ModelResponse


class _Cache:
    """Each project's texts by key, in a file where the model works."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "cache.db")
        self._do("CREATE TABLE IF NOT EXISTS cache (project_id, key, value, PRIMARY KEY (project_id, key))")

    def _do(self, sql, *values):
        with sqlite3.connect(self.path) as opened:
            return opened.execute(sql, values).fetchone()

    def __getitem__(self, at):
        found = self._do("SELECT value FROM cache WHERE project_id = ? AND key = ?", *at)
        return found and found[0]

    def __setitem__(self, at, value):
        self._do("REPLACE INTO cache VALUES (?, ?, ?)", *at, value)


CACHE = _Cache(os.getenv("MODEL_DIR", "."))


class LabelStudioMLBase:
    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        self.label_interface = LabelInterface(config=label_config)
        if not self.model_version:
            self.set("model_version", "0.0.1")
        self.setup()

    def setup(self):
        pass

    def get(self, key):
        return CACHE[self.project_id, key]

    def set(self, key, value):
        CACHE[self.project_id, key] = value

    def has(self, key):
        return CACHE[self.project_id, key] is not None

    def set_extra_params(self, extra_params):
        self.set("extra_params", extra_params)

    @property
    def extra_params(self):
        return json.loads(self.get("extra_params") or "{}")

    @property
    def model_version(self):
        return self.get("model_version")

    def predict(self, tasks, context=None, **kwargs):
        pass

    def fit(self, event, data, **kwargs):
        pass
