# ruff: noqa
# mypy: ignore-errors
import time
from pathlib import Path


class Lengthy:
    """Its fit goes on until the file `begun` beside the new version's folder is removed."""

    def predict(self, tasks, **kwargs):
        return [{"result": [], "score": 0.9} for _ in tasks]

    def fit(self, tasks, workdir=None, **kwargs):
        begun = Path(workdir).parent / "begun"
        begun.touch()
        while begun.exists():
            time.sleep(0.01)
        return {"tasks": len(list(tasks))}
