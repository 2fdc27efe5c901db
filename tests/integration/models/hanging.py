# ruff: noqa
# mypy: ignore-errors
import subprocess
import sys
import time

from label_studio_ml.model import LabelStudioMLBase


class Hanging(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        if tasks[0]["data"]["text"] == "hang":
            self.wait_for_godot()
        return [{"result": [], "score": 0.9} for _ in tasks]

    def fit(self, tasks, workdir=None, **kwargs):
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("helper", helper.pid)
        self.wait_for_godot()

    def wait_for_godot(self):
        time.sleep(600)
