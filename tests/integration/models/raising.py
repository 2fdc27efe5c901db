# ruff: noqa
# mypy: ignore-errors
"""Models of 1.x that do as the text of a task says, or as their fit is told: raise, exit, print, answer nonsense."""

import os
import sys

from label_studio_ml.model import LabelStudioMLBase


class Obedient(LabelStudioMLBase):
    def predict(self, tasks, **kwargs):
        answers = [
            {"result": [task["data"]], "score": 0.9, "model_version": f"process {os.getpid()}"} for task in tasks
        ]
        match tasks[0]["data"]["text"]:
            case "raise":
                raise ValueError("no such word")
            case "print":
                print("x" * 1_000_000)
                os.write(1, b"\xff\x00 garbage {]\n" * 10_000)
            case "exit":
                sys.exit(3)
            case "leave":
                print("leaving now")
                os._exit(4)
            case "crash":
                os.abort()
            case "too many":
                return answers * 2
            case "none":
                return None
            case "object":
                return [{"result": [], "score": object()}]
            case "close everything":
                os.closerange(3, 100)
            case "write everywhere":
                for descriptor in range(3, 5000):
                    try:
                        os.write(descriptor, b"not a message at all")
                    except OSError:
                        pass
        return answers

    def fit(self, tasks, workdir=None, **kwargs):
        with open(os.path.join(workdir, "weights.txt"), "w") as f:
            f.write("half written")
        with open(os.path.join(workdir, "half.txt"), "w") as f:
            f.write("half written")
        raise RuntimeError(f"cannot learn from {len(tasks)} tasks")


class Unmade(LabelStudioMLBase):
    def __init__(self, **kwargs):
        raise OSError("weights.bin is not there")

    def predict(self, tasks, **kwargs):
        return []
