"""Plays an annotator through Label Studio's own API. docker/try runs it inside the backend's container:

python play.py create               makes a project of two-sided short texts and prints its id
python play.py label ID [FACTS]     labels what Label Studio serves until a version that has learned is in force, looks
                                    whether the next task served is the top of its order, and prints one line of JSON
                                    (FACTS, a JSON object, is put in front)
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

LABEL_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text"><Choice value="sport"/><Choice value="kitchen"/></Choices>
</View>"""
WORDS = {
    "sport": ["match", "goal", "team", "coach", "league", "striker", "referee", "stadium", "penalty"],
    "kitchen": ["oven", "butter", "recipe", "onion", "simmer", "flour", "garlic", "whisk", "saucepan"],
}
FILLER = ["today", "we", "heard", "that", "the", "old", "new", "very", "good", "first", "last", "some", "people"]
TASKS = 150
LABELS = 20
PATIENCE = 180.0


class PlayError(Exception):
    """The loop did not close; the sentence says where."""


class Annotator:
    """One account of Label Studio, seen from its API."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        response = self._http.request(method, path, **options)
        if response.is_error:
            raise PlayError(f"{method} {path}: Label Studio answered {response.status_code}: {response.text[:300]}")
        return response.json() if response.content else None

    def version(self, project: str) -> str:
        return str(self.ask("GET", f"/api/projects/{project}/")["model_version"])

    def label_next(self, project: str) -> int:
        """Take the task that Label Studio serves, label it truthfully and return its id."""
        task = self.next_task(project)
        choice = {"choices": [truth(task["data"]["text"])]}
        result = [{"from_name": "topic", "to_name": "text", "type": "choices", "value": choice}]
        self.ask("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": result, "lead_time": 1.0})
        return int(task["id"])

    def next_task(self, project: str) -> Any:
        return self.ask("GET", f"/api/projects/{project}/next")

    def open_tasks(self, project: str) -> list[Any]:
        query = {"project": project, "fields": "all", "page_size": str(TASKS)}
        tasks = self.ask("GET", "/api/tasks", params=query)["tasks"]
        return [task for task in tasks if not task["annotations"]]


def truth(text: str) -> str:
    return max(WORDS, key=lambda topic: sum(word in WORDS[topic] for word in text.split()))


def make_texts(count: int) -> list[str]:
    dice = random.Random(7)  # noqa: S311  the same texts every time
    texts = []
    for number in range(count):
        words = dice.choices(WORDS["sport" if number % 2 else "kitchen"], k=3) + dice.choices(FILLER, k=7)
        dice.shuffle(words)
        texts.append(" ".join(words))
    return texts


def create(annotator: Annotator) -> str:
    project = str(annotator.ask("POST", "/api/projects/", json={"title": "try", "label_config": LABEL_CONFIG})["id"])
    tasks = [{"data": {"text": text}} for text in make_texts(TASKS)]
    annotator.ask("POST", f"/api/projects/{project}/import", json=tasks)
    wait_for(
        lambda: annotator.ask("GET", f"/api/projects/{project}/")["task_number"] == TASKS,
        f"Label Studio did not show the {TASKS} imported tasks",
    )
    return project


def label(annotator: Annotator, project: str) -> dict[str, object]:
    """Label `LABELS` tasks, wait for a version that has learned from them, and look at the order it has brought."""
    first = annotator.version(project)
    report(f"version in force after connecting: {first}")
    begun = time.monotonic()
    changed: list[float] = []

    def retrained() -> bool:
        if not changed and annotator.version(project) != first:
            changed.append(time.monotonic() - begun)
        return bool(changed)

    for _ in range(LABELS):
        annotator.label_next(project)
        retrained()
    report(f"{LABELS} labels submitted; waiting for a version that has learned")
    wait_for(
        lambda: retrained() and learned(annotator, project) >= 0.8,
        f"no version that has learned came into force within {PATIENCE:.0f} s of {LABELS} labels",
    )
    served_top = any(served_is_top(annotator, project) for _ in range(5))
    last = annotator.version(project)
    report(f"version in force: {last}; its top task was {'served' if served_top else 'NOT served'} next")
    if not served_top:
        raise PlayError("the task that Label Studio served next was not the top of the new order")
    return {
        "tasks": TASKS,
        "annotations": TASKS - len(annotator.open_tasks(project)),
        "retrainings": retrainings(project),
        "version_start": first,
        "version_end": last,
        "seconds_first_label_to_new_order": round(changed[0], 1),
        "accuracy_on_open_tasks": round(learned(annotator, project), 3),
        "served_top_of_order": served_top,
    }


def retrainings(project: str) -> int:
    """As nextlabel itself tells them."""
    command = ["nextlabel", "status", "--project", project, "--json"]
    received = subprocess.run(command, check=True, capture_output=True)  # noqa: S603  arguments of our own
    return sum(version["labels"] > 0 for version in json.loads(received.stdout)["projects"][0]["versions"])


def learned(annotator: Annotator, project: str) -> float:
    """The share of right labels among the predictions that the version in force has on open tasks."""
    version = annotator.version(project)
    rows = [(task, prediction) for task in annotator.open_tasks(project) for prediction in of(version, task)]
    right = [prediction["result"][0]["value"]["choices"] == [truth(task["data"]["text"])] for task, prediction in rows]
    return sum(right) / len(right) if right else 0.0


def served_is_top(annotator: Annotator, project: str) -> bool:
    """Whether the task served next has the lowest score, in a moment when the order stood still."""
    version = annotator.version(project)
    scores = {t["id"]: min(p["score"] for p in of(version, t)) for t in annotator.open_tasks(project) if of(version, t)}
    served = annotator.next_task(project)["id"]
    if annotator.version(project) == version and scores and scores.get(served) == min(scores.values()):
        return True
    annotator.label_next(project)  # lets go of the task: Label Studio would serve it again
    time.sleep(3)
    return False


def of(version: str, task: Any) -> list[Any]:
    return [p for p in task["predictions"] if p["model_version"] == version and p["result"]]


def wait_for(condition: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise PlayError(complaint)
        time.sleep(0.5)


def report(text: str) -> None:
    sys.stderr.write(f"try: {text}\n")


def main(arguments: list[str]) -> int:
    annotator = Annotator(os.environ["LABEL_STUDIO_URL"], os.environ["LABEL_STUDIO_API_KEY"])
    try:
        if arguments[0] == "create":
            sys.stdout.write(create(annotator) + "\n")
        else:
            facts = json.loads(arguments[2]) if len(arguments) > 2 else {}
            sys.stdout.write(json.dumps(facts | label(annotator, arguments[1])) + "\n")
    except (PlayError, httpx.HTTPError, subprocess.CalledProcessError) as error:
        report(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
