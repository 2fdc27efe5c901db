"""The two interfaces of label-studio-ml, told apart by what a class accepts, and called as its servers call them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import logging
import os
import sys
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from nextlabel.errors import SettingsError
from nextlabel.hosting import compat
from nextlabel.hosting.at_hand import ProjectAtHand
from nextlabel.hosting.plain import plain
from nextlabel.hosting.state import fingerprints

if TYPE_CHECKING:
    from nextlabel.hosting.estimator import HostedEstimator

log = logging.getLogger(__name__)

Interface = Literal["1.x", "2.x"]

_BASE = "label_studio_ml.model"
_ASKED_WITH: dict[str, None] = {"login": None, "password": None}
"""What Label Studio sends with every prediction, beside the context of an interactive one."""
_ACCESS = {
    "hostname": ("LABEL_STUDIO_URL", "LABEL_STUDIO_HOST", "LABEL_STUDIO_HOSTNAME"),
    "access_token": ("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_ACCESS_TOKEN"),
}
"""Where models look for Label Studio and the token: 1.x among the constructor's arguments, both in the environment."""
_NOWHERE = {"hostname": "http://label-studio.invalid", "access_token": "none"}
"""What stands in the environment where no Label Studio is known. A fit finds the tasks at hand there all the same."""
_NO_WORDS = (
    "It is written for label-studio-ml, which reads Label Studio's labeling configs and annotations, and this tool has "
    "none: choose a scikit-learn model, which works with every tool, or model=built-in."
)
_STARTED, _LABELED = "START_TRAINING", "ANNOTATION_CREATED"


class Hosted:
    """A model for label-studio-ml, made and asked the way that its interface wants."""

    target = None
    """It reads the labeling config for itself."""

    def __init__(self, interface: Interface, model: Any, question: Mapping[str, Any], kept: dict[str, str]) -> None:
        self._interface = interface
        self._model = model
        self._project = _number_or_text(_project_id(question["project"]))
        self._label_config: str = question["label_config"]
        self._folder: str = question["folder"]
        self._train_output: dict[str, Any] = question.get("train_output", {})
        self._kept = kept
        self._at_hand = ProjectAtHand(self._project, self._label_config, _addresses(question.get("access", {})))
        self._at_hand.answer_clients()
        self._leaves_out = False

    @classmethod
    def of(cls, made: type[Any], question: Mapping[str, Any], *, two_x_installed: bool) -> Self:
        """The class's model; whatever goes wrong is raised as it came."""
        interface = interface_of(made, two_x_installed=two_x_installed)
        parameters: dict[str, Any] = question["parameters"]
        train_output: dict[str, Any] = question["train_output"]
        if interface == "1.x":
            if two_x_installed and _BASE in (one.__module__ for one in made.__mro__):
                raise SettingsError(f"It is written for label-studio-ml 1.x. {compat.ANOTHER_VERSION}")
            known = {"label_config": question["label_config"], "train_output": train_output}
            given = {**question["access"], **parameters, **known}
            return cls(interface, made(**_accepted(made, given)), question, {})
        kept: dict[str, str] = {key: str(value) for key, value in train_output.items()}
        if not two_x_installed:
            compat.modernise(made, kept)
        folder = Path(question["folder"])
        compat.keep_in_memory("extra_params", json.dumps(parameters) if parameters else None, folder)
        project_id = _project_id(question["project"])
        model = made(**_accepted(made, {"project_id": project_id, "label_config": question["label_config"]}))
        return cls(interface, model, question, kept)

    @property
    def learns(self) -> bool:
        """Whether it has a fit of its own; many models for label-studio-ml only predict."""
        having = (one for one in type(self._model).__mro__ if "fit" in vars(one))
        return next((one.__module__ != _BASE for one in having), False)

    def predict(self, tasks: list[dict[str, Any]], context: Any = None) -> dict[str, Any]:
        """What the model's predict returns, as it is, and what version it calls itself.

        Some models leave out the tasks in which they find nothing, and nobody can tell which ones. Such a model is
        asked for one task at a time from then on.
        """
        for task in tasks:
            task.setdefault("project", self._project)
        answer = [] if self._leaves_out else self._ask(tasks, context)
        self._leaves_out = self._leaves_out or 0 < len(_predictions_in(answer) or tasks) < len(tasks)
        if self._leaves_out:
            answer = [self._ask_for_one(task, context) for task in tasks]
        version = None
        with contextlib.suppress(Exception):  # a property of theirs; few have it, and nothing hangs on it
            version = str(self._model.model_version or "") or None
        return {"predictions": answer, "version": version}

    def _ask(self, tasks: list[dict[str, Any]], context: Any) -> Any:
        predict = self._model.predict
        answer = predict(tasks, **_accepted(predict, {**_ASKED_WITH, "context": context}))
        return list(answer) if inspect.isgenerator(answer) else answer

    def _ask_for_one(self, task: dict[str, Any], context: Any) -> Any:
        answer = self._ask([task], context)
        given = _predictions_in(answer)
        return answer if given is None else given

    def fit(self, tasks: list[dict[str, Any]], event: str) -> dict[str, Any]:
        """Train. ``state`` is 1.x's train_output or 2.x's cache of strings, None to keep what there was; ``changed``
        is whether the state or the files in the folder are others than before.

        Some models only learn from the event of an annotation. They get one where START_TRAINING changed nothing.
        """
        for task in tasks:
            task.setdefault("project", self._project)
            if self._interface == "1.x":
                task.setdefault("completions", task.get("annotations", []))  # as it was called before 2021
        files = fingerprints(Path(self._folder))
        known = _written(self._kept if self._interface == "2.x" else self._train_output)

        def has_changed() -> bool:
            return (state is not None and _written(state) != known) or fingerprints(Path(self._folder)) != files

        with self._at_hand.holding(tasks):
            state = self._fit(tasks, event)
            changed = has_changed()
            if not changed and event == _STARTED and tasks and self._takes_events:
                state = self._fit_by_event(tasks)
                changed = has_changed()
        return {"state": state, "changed": changed}

    def _fit_by_event(self, tasks: list[dict[str, Any]]) -> Mapping[str, Any] | None:
        try:
            return self._fit(tasks, _LABELED)
        except Exception as error:
            if self._interface == "2.x":
                raise
            log.info("fit has changed nothing, and fails with an annotation's event: %r", error)
            return None  # 1.x is not made for it: with the event's data many want to fetch from Label Studio

    @property
    def _takes_events(self) -> bool:
        return self._interface == "2.x" or bool(_accepted(self._model.fit, {"event": "", "data": {}}))

    def _fit(self, tasks: list[dict[str, Any]], event: str) -> Mapping[str, Any] | None:
        if self._interface == "2.x":
            self._model.fit(event, self._event(event, tasks))
            # A real 2.x keeps its cache in a file of the folder; ours goes with the state.
            return dict(self._kept) or None
        state = self._fit_one_x(tasks, event)
        if state is not None and not isinstance(state, Mapping):
            raise TypeError(f"fit returned {type(state).__name__}: it must return a dict, the next train_output")
        return state

    def _fit_one_x(self, tasks: list[dict[str, Any]], event: str) -> Any:
        fit = self._model.fit
        wanted = _parameters(fit)
        if _first(wanted) == "event":
            more = _accepted(fit, {"workdir": self._folder, "job_id": Path(self._folder).name})
            return fit(event, self._event(event, tasks), **more)
        # Models of 1.x take ``data`` as a sign to fetch the annotations from Label Studio themselves, and use the tasks
        # they are given only without it. So they get it only if they cannot be called without, or fail without.
        extra = {"event": event, "data": self._event(event, tasks), "job_id": Path(self._folder).name}
        must = {name: value for name, value in extra.items() if name in wanted and wanted[name].default is _NOTHING}
        given = _accepted(fit, {"workdir": self._folder})
        more = _accepted(fit, extra)
        if event != _STARTED:
            return fit(tasks, **given, **more)
        try:
            return fit(tasks, **given, **must)
        except MemoryError:
            raise
        except Exception as error:
            if more.keys() == must.keys():
                raise
            log.info("fit failed without the event's data (%r): it is called with them", error)
            return _second_try(lambda: fit(tasks, **given, **more), error, extra.keys())

    def _event(self, event: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
        """A webhook of Label Studio's about the last annotation, with the tasks beside.

        START_TRAINING names no annotation, but label-studio-ml's own examples look for the project's id in one.
        """
        data: dict[str, Any] = {
            "action": event,
            "project": {"id": self._project, "label_config": self._label_config},
            "tasks": tasks,
        }
        labeled = [task for task in tasks if task.get("annotations")]
        if labeled:
            data["task"] = labeled[-1]
            data["annotation"] = {
                "project": self._project,
                "task": labeled[-1].get("id"),
                **labeled[-1]["annotations"][-1],
            }
        return data


def _written(state: Mapping[str, Any]) -> str:
    """The state as it is stored; "" for what cannot be, which the parent is told when it is sent there."""
    try:
        return json.dumps(state, default=plain, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return ""


def _addresses(access: Mapping[str, str]) -> frozenset[str]:
    """Where models find Label Studio: its own address, and what the environment says."""
    found = {access.get("hostname", ""), *(os.environ.get(name, "") for name in _ACCESS["hostname"])}
    return frozenset(address.rstrip("/") for address in found if address.startswith(("http://", "https://")))


def _second_try(fit: Callable[[], Any], first: Exception, names: Iterable[str]) -> Any:
    """The fit with all that it takes. Where that fails, too, the first failure says more, unless it was about one of
    these names."""
    try:
        return fit()
    except MemoryError:
        raise
    except Exception as second:
        if isinstance(first, KeyError) and first.args[:1] in [(name,) for name in names]:
            raise
        log.info("fit failed with the event's data, too: %r", second)
        raise first from None


def _predictions_in(answer: Any) -> list[Any] | None:
    """The list of predictions in what predict returned; None where there is no such list."""
    if isinstance(answer, Mapping):
        answer = answer.get("predictions", answer.get("results"))
    found = getattr(answer, "predictions", answer)
    return found if isinstance(found, list) else None


def load(question: Mapping[str, Any]) -> Hosted | HostedEstimator:
    """Import what the team has named and make the model; whatever goes wrong is raised as it came."""
    sys.path += [entry for entry in question["path"] if entry not in sys.path]
    os.environ["MODEL_DIR"] = question["folder"]  # read by models, and by the cache of 2.x, while they are imported
    access: dict[str, str] = question["access"]
    for argument, names in _ACCESS.items():
        for name in names:
            os.environ.setdefault(name, access.get(argument) or _NOWHERE[argument])
    two_x_installed = compat.provide()
    found = find(question["module"], question["name"])
    if is_label_studio_ml(found):
        if not question["label_config"]:
            raise SettingsError(_NO_WORDS)
        return Hosted.of(found, question, two_x_installed=two_x_installed)
    from nextlabel.hosting.estimator import HostedEstimator  # noqa: PLC0415 - a second to import, of no use to others

    return HostedEstimator(found, question)


def find(module: str, name: str) -> Any:
    """What has that name. Raises whatever its import raises, and AttributeError naming the classes and functions that
    there are."""
    try:
        found = _file(Path(module)) if module.endswith(".py") else importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in compat.HOW_TO_INSTALL:
            raise ModuleNotFoundError(f"{error.name}; {compat.HOW_TO_INSTALL[package]}", name=error.name) from error
        raise
    except ImportError as error:
        if (error.name or "").startswith("label_studio_ml."):
            raise SettingsError(f"{error}. {compat.ANOTHER_VERSION}") from error
        raise
    if hasattr(found, name):
        return getattr(found, name)
    own = [one for one in vars(found).values() if getattr(one, "__module__", None) == found.__name__]
    there = [one.__name__ for one in own if inspect.isclass(one) or inspect.isfunction(one)]
    raise AttributeError(f"it has no {name}; it has {', '.join(there) or 'no class or function'}")


def is_label_studio_ml(found: Any) -> bool:
    """Whether it is a class whose predict is given tasks; scikit-learn's are told by their get_params."""
    if not inspect.isclass(found):
        return False
    return not hasattr(found, "get_params") or _first(_parameters(getattr(found, "predict", None))) == "tasks"


def _file(path: Path) -> Any:
    """As if it had been started from its folder: its neighbours can be imported, and pickles find its classes."""
    sys.path.insert(0, str(path.parent))
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names or not path.stem.isidentifier()
    name = f"hosted_{path.stem}" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def interface_of(made: type[Any], *, two_x_installed: bool) -> Interface:
    """Which interface a class is written for, by what it says itself and not what it inherits from label-studio-ml.

    The signs, strongest first, for models of either kind exist that carry the weaker ones of the other:

    1. its constructor takes ``train_output``: 1.x;
    2. it has a ``setup``, or its constructor takes ``project_id``: 2.x;
    3. any of its methods uses ``train_output``: 1.x;
    4. the first argument of its fit is ``event``: 2.x;
    5. its fit takes ``workdir``: 1.x;
    6. its predict takes ``context``: 2.x;
    7. it shows none: what is installed.
    """
    own: dict[str, Any] = {}
    for one in reversed(made.__mro__):
        if one not in (object, ABC) and one.__module__ != _BASE:
            own |= vars(one)
    takes = {name: _parameters(own.get(name)) for name in ("__init__", "fit", "predict")}
    functions = (value for value in own.values() if inspect.isfunction(value))
    signs: tuple[tuple[bool, Interface], ...] = (
        ("train_output" in takes["__init__"], "1.x"),
        ("setup" in own or "project_id" in takes["__init__"], "2.x"),
        (any("train_output" in function.__code__.co_names for function in functions), "1.x"),
        (_first(takes["fit"]) == "event", "2.x"),
        ("workdir" in takes["fit"], "1.x"),
        ("context" in takes["predict"], "2.x"),
        (two_x_installed, "2.x"),
    )
    return next((interface for shown, interface in signs if shown), "1.x")


_NOTHING = inspect.Parameter.empty


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _first(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    return next((name for name in parameters if name != "self"), None)


def _accepted(function: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = _parameters(function)
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in wanted.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in wanted}


def _project_id(project: str) -> str:
    return project.split(".", 1)[0]  # Label Studio writes "<id>.<when it was made>"


def _number_or_text(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
