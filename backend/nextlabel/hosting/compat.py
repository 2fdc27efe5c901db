"""label-studio-ml's 2.x interface where only its 1.x is installed; in the child only.

PyPI has no 2.x, so a model written for it would not even import beside the 1.0.9 that is there. Where the installed
package is 1.x, the modules that 2.x models import are put in its place, and its base class gets the behaviour of 2.x
once the class to be hosted turns out to be for that. Where the team has installed 2.x itself, or label-studio-sdk,
theirs is used and nothing here is.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from nextlabel.hosting.at_hand import labeled_tasks
from nextlabel.hosting.label_interface import LabelInterface

HOW_TO_INSTALL = {
    "label_studio_ml": "pip install --no-deps label-studio-ml==1.0.9, or 2.x from source",
    "label_studio_sdk": "pip install label-studio-sdk",
    "label_studio_tools": "pip install label-studio-tools",
    "label_studio_converter": "pip install label-studio-converter",
}
"""Package → what to do where it, or a module of it, is missing."""
ANOTHER_VERSION = (
    "Another label-studio-ml is installed beside nextlabel: models for 1.x need `pip install --no-deps "
    "label-studio-ml==1.0.9`, which runs most models for 2.x, too."
)
_NO_SDK = "install label-studio-sdk beside nextlabel: without it only part of what models use is there"


class ModelResponse:
    """Predictions of several tasks, and whose they are."""

    def __init__(self, predictions: list[Any], model_version: str | None = None) -> None:
        self.predictions = predictions
        self.model_version = model_version

    def has_model_version(self) -> bool:
        """Whether it says whose."""
        return bool(self.model_version)

    def set_version(self, version: str) -> None:
        """Say whose, of those that do not say it, too."""
        self.model_version = version
        self.update_predictions_version()

    def update_predictions_version(self) -> None:
        """Say of each prediction whose it is, where it does not."""
        for one in self.predictions:
            for prediction in one if isinstance(one, list) else [one]:
                if isinstance(prediction, dict):
                    prediction["model_version"] = prediction.get("model_version") or self.model_version
                elif not prediction.model_version:
                    prediction.model_version = self.model_version

    def model_dump(self, **_: object) -> dict[str, Any]:
        """As a dict."""
        return {"model_version": self.model_version, "predictions": [_dumped(one) for one in self.predictions]}

    def dict(self, **_: object) -> dict[str, Any]:
        """As a dict."""
        return self.model_dump()


class PredictionValue:
    """What is said of a task."""

    def __init__(
        self, result: list[Any] | None = None, score: float | None = None, model_version: str | None = None
    ) -> None:
        self.result = result
        self.score = score
        self.model_version = model_version

    def serialize(self) -> dict[str, Any]:
        """As a dict."""
        return {"model_version": self.model_version, "score": self.score, "result": self.result}

    def model_dump(self, **_: object) -> dict[str, Any]:
        """As a dict."""
        return self.serialize()

    def dict(self, **_: object) -> dict[str, Any]:
        """As a dict."""
        return self.serialize()


def _dumped(prediction: Any) -> Any:
    if isinstance(prediction, list):
        return [_dumped(one) for one in prediction]
    return prediction.serialize() if isinstance(prediction, PredictionValue) else prediction


class _Project:
    """A project of the stand-in client: the labeled tasks of the fit at hand, which are what its owner has."""

    def __init__(self, id: Any) -> None:  # noqa: A002 - as it is called there
        self.id = id

    def get_labeled_tasks(self, only_ids: bool = False) -> list[Any]:
        """Those with an annotation."""
        found = [task for task in self.get_tasks() if task.get("annotations")]
        return [task.get("id") for task in found] if only_ids else found

    def get_tasks(self) -> list[dict[str, Any]]:
        """All that there are."""
        if not labeled_tasks:
            raise RuntimeError(f"tasks are at hand only while fitting; to fetch others, {_NO_SDK}")
        return labeled_tasks

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the project has no {name} here: {_NO_SDK}")


class Client:
    """Stands in for the client with which models for 2.x fetch the labeled tasks: they get those that we have."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def get_project(self, id: Any = None, **_: object) -> _Project:  # noqa: A002 - as it is called there
        """Whichever project is asked for, it is the one of the fit."""
        return _Project(id)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the client has no {name} here: {_NO_SDK}")


class _TwoX:
    """What a base class of 2.x does; its members are moved onto the installed base class."""

    INITIAL_MODEL_VERSION = "0.0.1"
    TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")

    kept: dict[str, str]
    project_id: str
    label_interface: LabelInterface

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        if label_config is not None:
            self.use_label_config(label_config)
        if not self.model_version:
            self.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self) -> None:
        pass

    def use_label_config(self, label_config: str) -> None:
        self.label_interface = sys.modules["label_studio_sdk.label_interface"].LabelInterface(config=label_config)
        if self.get("label_config") != label_config:
            self.set("label_config", label_config)
            self.set("parsed_label_config", json.dumps(sys.modules[_MODEL].parse_config(label_config)))

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        if not isinstance(value, str):
            raise ValueError("Value must be a string")  # noqa: TRY004 - what 2.x raises
        self.kept[key] = value

    def has(self, key: str) -> bool:
        return key in self.kept

    def set_extra_params(self, extra_params: str) -> None:
        self.set("extra_params", extra_params)

    @property
    def extra_params(self) -> Any:
        return json.loads(self.get("extra_params") or "{}")

    @property
    def label_config(self) -> str | None:
        return self.get("label_config")

    @property
    def parsed_label_config(self) -> Any:
        return json.loads(self.get("parsed_label_config") or "{}")

    @property
    def model_version(self) -> str | None:
        return self.get("model_version")

    def bump_model_version(self) -> str:
        parts = (self.model_version or "").split(".")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            raise ValueError(f"{self.model_version} cannot be counted up: it must be like 0.0.1")
        bumped = f"{parts[0]}.{int(parts[1]) + 1}.0"
        self.set("model_version", bumped)
        return bumped

    def predict(self, tasks: list[Any], context: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no predict")

    def fit(self, event: str, data: Any, **additional_params: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no fit: it cannot learn")

    def process_event(self, event: str, data: Any, job_id: Any, additional_params: Any) -> Any:
        if event not in self.TRAIN_EVENTS:
            return None
        return self.fit(event=event, data=data, job_id=job_id, **additional_params)

    def get_first_tag_occurence(
        self,
        control_type: str | tuple[str, ...],
        object_type: str | tuple[str, ...],
        name_filter: Callable[[str], bool] | None = None,
        to_name_filter: Callable[[str], bool] | None = None,
    ) -> tuple[str, str, str]:
        return self.label_interface.get_first_tag_occurence(
            control_type=control_type, object_type=object_type, name_filter=name_filter, to_name_filter=to_name_filter
        )

    def build_label_map(self, tag_name: str, names: list[str]) -> dict[str, str]:
        by_lower = {name.lower(): name for name in names}
        mapped: dict[str, str] = {}
        for label, tag in self.label_interface.get_control(tag_name).labels_attrs.items():
            raw = [one.strip() for one in tag.attr.get("predicted_values", "").split(",")]
            known = [name for name in raw if name in names]
            if not known and label.lower() in by_lower:
                known = [label if label in names else by_lower[label.lower()]]
            mapped |= dict.fromkeys(known, label)
        return mapped

    def get_label_studio_access_token(self) -> str | None:
        return os.environ.get("LABEL_STUDIO_API_KEY") or os.environ.get("LABEL_STUDIO_ACCESS_TOKEN")

    def get_local_path(
        self,
        url: str,
        project_dir: str | None = None,
        ls_host: str | None = None,
        ls_access_token: str | None = None,
        task_id: Any = None,
        **_: object,
    ) -> str:
        host = ls_host or os.environ.get("LABEL_STUDIO_URL") or os.environ.get("LABEL_STUDIO_HOST")
        token = ls_access_token or self.get_label_studio_access_token()
        if not url.startswith(("http://", "https://", "/", "upload/")):
            raise ValueError(f"{url} is in cloud storage, task {task_id}: to fetch from there, {_NO_SDK}")
        found: str = sys.modules[_MODEL].get_local_path(
            url, project_dir=project_dir, hostname=host or "", access_token=token
        )
        return found

    def preload_task_data(self, task: Any, value: Any = None, read_file: bool = True) -> Any:
        value = task["data"] if value is None else value
        if isinstance(value, dict):
            return {key: self.preload_task_data(task, one, read_file) for key, one in value.items() if one is not None}
        if isinstance(value, list):
            return [self.preload_task_data(task, one, read_file) for one in value]
        if not isinstance(value, str) or not value.startswith(_ADDRESSES):
            return value
        path = self.get_local_path(value, task_id=task.get("id"))
        if not read_file:
            return path
        with open(path) as file:  # noqa: PTH123
            return file.read()


_MODEL = "label_studio_ml.model"
_ADDRESSES = ("http://", "https://", "s3://", "gs://", "azure-blob://", "/data/", "upload/")


def provide() -> bool:
    """Make what models import importable, as far as label-studio-ml is; whether the installed one is 2.x itself."""
    if importlib.util.find_spec("label_studio_ml") is None:
        return False  # a scikit-learn estimator has no need of it
    if importlib.util.find_spec("label_studio_ml.response") is not None:
        return True
    _module("label_studio_ml.response", ModelResponse=ModelResponse)
    vars(importlib.import_module(_MODEL)).setdefault("ModelResponse", ModelResponse)  # 2.x has it there, too
    if importlib.util.find_spec("label_studio_sdk") is None:
        objects = _module("label_studio_sdk.label_interface.objects", PredictionValue=PredictionValue)
        interface = _module("label_studio_sdk.label_interface", LabelInterface=LabelInterface, objects=objects)
        _module("label_studio_sdk", Client=Client, label_interface=interface)
    return False


def modernise(made: type[Any], kept: dict[str, str]) -> None:
    """Give the class's base of 1.x the behaviour of 2.x, with ``kept`` as its cache of strings.

    In place, so that every class between the two has it; this process hosts one class and no other.
    """
    if _MODEL not in sys.modules:
        return  # it inherits from nothing of label-studio-ml
    importlib.import_module("label_studio_sdk.label_interface")
    base = importlib.import_module(_MODEL).LabelStudioMLBase
    if not issubclass(made, base):
        return
    for name, member in vars(_TwoX).items():
        if name not in ("__dict__", "__weakref__", "__module__", "__doc__", "__annotations__"):
            setattr(base, name, member)
    base.kept = kept
    inherits: list[Any] = list(made.__mro__)
    for one in inherits:
        if issubclass(one, base):
            one.__abstractmethods__ = frozenset()  # what 1.x left abstract has been given


def keep_in_memory(key: str, value: str | None, folder: Path) -> None:
    """Have models of 2.x find this value under that key of their cache, while the cache itself never holds it.

    The folder becomes the stored version: a password that somebody typed in for the model must not be part of it. What
    an earlier version has stored is removed.
    """
    if _MODEL not in sys.modules:
        return
    base = sys.modules[_MODEL].LabelStudioMLBase
    kept = {} if value is None else {key: value}
    get, put, has = (getattr(base, name, None) for name in ("get", "set", "has"))
    if get is None or put is None or has is None:
        return  # 1.x
    base.get = lambda self, name: kept.get(name) if name == key else get(self, name)
    base.set = lambda self, name, new: kept.update({name: new}) if name == key else put(self, name, new)
    base.has = lambda self, name: name in kept if name == key else has(self, name)
    if (cache := folder / "cache.db").is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(cache)) as opened:
            if opened.execute("DELETE FROM cache WHERE key = ?", (key,)).rowcount:
                opened.commit()
                opened.execute("VACUUM")


def _module(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name, "A stand-in by nextlabel: see nextlabel.hosting.compat.")
    vars(module).update(members)
    module.__spec__ = ModuleSpec(name, None, is_package=True)  # for those who look before they import
    module.__path__ = []  # so that what is not there is said to be missing by its full name

    def missing(member: str) -> NoReturn:
        if member.startswith("__"):
            raise AttributeError(member)
        raise ModuleNotFoundError(f"{name}.{member}", name=f"{name}.{member}")

    vars(module)["__getattr__"] = missing
    sys.modules[name] = module
    return module
