# ruff: noqa
# mypy: ignore-errors
"""Small models of each kind that teams write for label-studio-ml 2.x, with the real label-studio-sdk."""

import json
import os

import label_studio_sdk
import requests
from label_studio_ml.model import LabelStudioMLBase, ModelResponse
from label_studio_sdk import LabelStudio
from label_studio_sdk.label_interface.objects import PredictionValue


class Tags(LabelStudioMLBase):
    """Makes its regions with the tags of the labeling config, and finds nothing in short texts."""

    def predict(self, tasks, context=None, **kwargs):
        from_name, _, value = self.label_interface.get_first_tag_occurence("Choices", "Text")
        tag = self.label_interface.get_tag(from_name)
        predictions = []
        for task in tasks:
            if len(task["data"][value]) > 5:
                region = tag.label("sport")
                predictions.append(PredictionValue(result=[region], score=len(task["data"][value]) / 100))
        return ModelResponse(predictions=predictions)


class Related(LabelStudioMLBase):
    """Makes two regions and a relation between them."""

    def predict(self, tasks, context=None, **kwargs):
        tag = self.label_interface.get_control("word")
        predictions = []
        for task in tasks:
            one, two = tag.label("A", start=0, end=1), tag.label("A", start=2, end=3)
            one.add_relation(region=two)
            predictions.append(PredictionValue(result=[one, two]))
        return ModelResponse(predictions=predictions)


class Interactive(LabelStudioMLBase):
    """Says something only of what an annotator has just drawn."""

    def predict(self, tasks, context=None, **kwargs):
        if not context:
            return ModelResponse(predictions=[])
        return ModelResponse(predictions=[PredictionValue(result=context["result"], score=0.7) for _ in tasks])


class Prompted(LabelStudioMLBase):
    """Learns a prompt from the event of an annotation, never from START_TRAINING."""

    def predict(self, tasks, context=None, **kwargs):
        predicted = self.get("prompt")
        if not predicted:
            return []
        who = self.extra_params.get("api_key", "nobody")
        return [PredictionValue(result=[{"value": predicted}], score=0.4, model_version=who) for _ in tasks]

    def fit(self, event, data, **kwargs):
        if event == "ANNOTATION_CREATED":
            self.set("prompt", data["annotation"]["result"][0]["value"]["choices"][0])


class ByProject(LabelStudioMLBase):
    """Knows a model for each project by the task."""

    def predict(self, tasks, context=None, **kwargs):
        seen = json.dumps([tasks[0]["project"], tasks[0].get("inner_id")])
        return [{"result": [], "model_version": seen} for _ in tasks]


class Fetches(LabelStudioMLBase):
    """Fetches its labels from Label Studio, in every way there is, and counts them."""

    URL, TOKEN = os.getenv("LABEL_STUDIO_URL"), os.getenv("LABEL_STUDIO_ACCESS_TOKEN")

    def predict(self, tasks, context=None, **kwargs):
        with open(os.path.join(os.environ["MODEL_DIR"], "seen.json")) as file:
            return [{"result": [], "model_version": file.read()} for _ in tasks]

    def fit(self, event, data, **kwargs):
        number = data["annotation"]["project"]
        old = label_studio_sdk.Client(self.URL, self.TOKEN).get_project(id=number)
        new = LabelStudio(base_url=self.URL, api_key=self.TOKEN)
        export = requests.get(
            f"{self.URL}/api/projects/{number}/export", headers={"Authorization": f"Token {self.TOKEN}"}
        )
        ways = [
            [task["annotations"] for task in old.get_labeled_tasks()],
            [[{"result": one["result"]} for one in task.annotations] for task in new.tasks.list(project=number)],
            [task["annotations"] for task in export.json()],
        ]
        assert new.projects.get(id=number).label_config == old.params["label_config"]
        with open(os.path.join(os.environ["MODEL_DIR"], "seen.json"), "w") as file:
            json.dump([[[one["result"] for one in received] for received in way] for way in ways], file)


class AsksFurther(Fetches):
    """Asks Label Studio for what nobody else knows, too."""

    def fit(self, event, data, **kwargs):
        super().fit(event, data, **kwargs)
        me = requests.get(f"{self.URL}/api/current-user/whoami", headers={"Authorization": f"Token {self.TOKEN}"})
        LabelStudio(base_url=self.URL, api_key=self.TOKEN).users.whoami()
        me.raise_for_status()
