"""The two interfaces of label-studio-ml, told apart by what a class accepts, and called as its servers call them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
from abc import ABC
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from nextlabel.hosting import compat

Interface = Literal["1.x", "2.x"]

_BASE = "label_studio_ml.model"
_ASKED_WITH: dict[str, None] = {"login": None, "password": None}
"""What Label Studio sends with every prediction, beside the context of an interactive one."""
_ACCESS = {"hostname": ("LABEL_STUDIO_URL", "LABEL_STUDIO_HOST"), "access_token": ("LABEL_STUDIO_API_KEY",)}
"""Where models look for Label Studio and the token: 1.x among the constructor's arguments, 2.x in the environment."""


class Hosted:
    """A team's model, made and asked the way that its interface wants."""

    def __init__(self, interface: Interface, model: Any, question: Mapping[str, Any], kept: dict[str, str]) -> None:
        self._interface = interface
        self._model = model
        self._project: str = question["project"]
        self._label_config: str = question["label_config"]
        self._folder: str = question["folder"]
        self._kept = kept

    @classmethod
    def load(cls, question: Mapping[str, Any]) -> Self:
        """Import the class and make the model; whatever goes wrong is raised as it came."""
        folder = question["folder"]
        sys.path += [entry for entry in question["path"] if entry not in sys.path]
        os.environ["MODEL_DIR"] = folder  # read by models, and by the cache of 2.x, while they are imported
        access: dict[str, str] = question["access"]
        for argument, names in _ACCESS.items():
            for name in names if access.get(argument) else ():
                os.environ.setdefault(name, access[argument])
        two_x_installed = compat.provide()
        made = find(question["module"], question["name"])
        if not is_label_studio_ml(made):
            return cls("1.x", _estimator_model(made, question), question, {})
        interface = interface_of(made, two_x_installed=two_x_installed)
        parameters: dict[str, Any] = question["parameters"]
        train_output: dict[str, Any] = question["train_output"]
        if interface == "1.x":
            given = {**access, **parameters, "label_config": question["label_config"], "train_output": train_output}
            return cls(interface, made(**_accepted(made, given)), question, {})
        kept: dict[str, str] = {key: str(value) for key, value in train_output.items()}
        if parameters:
            kept["extra_params"] = json.dumps(parameters)
        if not two_x_installed:
            compat.modernise(made, kept)
        project_id = _project_id(question["project"])
        model = made(**_accepted(made, {"project_id": project_id, "label_config": question["label_config"]}))
        if two_x_installed and parameters:
            model.set_extra_params(json.dumps(parameters))
        return cls(interface, model, question, kept)

    @property
    def learns(self) -> bool:
        """Whether it has a fit of its own; many models for label-studio-ml only predict."""
        having = (one for one in type(self._model).__mro__ if "fit" in vars(one))
        return next((one.__module__ != _BASE for one in having), False)

    def predict(self, tasks: list[dict[str, Any]], context: Any = None) -> dict[str, Any]:
        """What the model's predict returns, as it is, and what version it calls itself."""
        predict = self._model.predict
        said = predict(tasks, **_accepted(predict, {**_ASKED_WITH, "context": context}))
        if inspect.isgenerator(said):
            said = list(said)
        version = None
        with contextlib.suppress(Exception):  # a property of theirs; few have it, and nothing hangs on it
            version = str(self._model.model_version or "") or None
        return {"predictions": said, "version": version}

    def fit(self, tasks: list[dict[str, Any]], event: str) -> dict[str, Any]:
        """Train; the state is 1.x's train_output or 2.x's cache of strings, None to keep what there was."""
        fit = self._model.fit
        compat.labeled_tasks[:] = tasks
        for task in tasks:
            task.setdefault("project", _number_or_text(_project_id(self._project)))
        if self._interface == "2.x":
            fit(event, self._event(event, tasks))
            # A real 2.x keeps its cache in a file of the folder; ours goes with the state.
            return {"state": {key: value for key, value in self._kept.items() if key != "extra_params"} or None}
        for task in tasks:
            task.setdefault("completions", task.get("annotations", []))  # as it was called before 2021
        state = self._fit_one_x(fit, tasks, event)
        if state is not None and not isinstance(state, Mapping):
            raise TypeError(f"fit returned {type(state).__name__}: it must return a dict, the next train_output")
        return {"state": state}

    def _fit_one_x(self, fit: Callable[..., Any], tasks: list[dict[str, Any]], event: str) -> Any:
        wanted = _parameters(fit)
        if _first(wanted) == "event":
            more = _accepted(fit, {"workdir": self._folder, "job_id": Path(self._folder).name})
            return fit(event, self._event(event, tasks), **more)
        # Models of 1.x take ``data`` as a sign to fetch the annotations from Label Studio themselves, and use the tasks
        # they are given only without it. So they get it only if they cannot be called without.
        extra = {"event": event, "data": self._event(event, tasks), "job_id": Path(self._folder).name}
        must = {name: value for name, value in extra.items() if name in wanted and wanted[name].default is _NOTHING}
        given = _accepted(fit, {"workdir": self._folder})
        try:
            return fit(tasks, **given, **must)
        except KeyError as error:  # it takes **kwargs, and looks for one of them
            more = _accepted(fit, extra)
            if error.args[:1] not in [(name,) for name in more.keys() - must.keys()]:
                raise
            return fit(tasks, **given, **more)

    def _event(self, event: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
        """A webhook of Label Studio's, with the tasks beside.

        START_TRAINING names no annotation, but label-studio-ml's own examples look for the project's id in one.
        """
        project_id = _number_or_text(_project_id(self._project))
        data: dict[str, Any] = {
            "action": event,
            "project": {"id": project_id, "label_config": self._label_config},
            "tasks": tasks,
        }
        labeled = [task for task in tasks if task.get("annotations")]
        if labeled:
            data["task"] = labeled[-1]
            data["annotation"] = {
                "project": project_id,
                "task": labeled[-1].get("id"),
                **labeled[-1]["annotations"][-1],
            }
        return data


def find(module: str, name: str) -> Any:
    """What has that name. Raises whatever its import raises, and AttributeError naming the classes and functions that
    there are."""
    try:
        found = _file(Path(module)) if module.endswith(".py") else importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "label_studio_ml":
            raise ModuleNotFoundError(f"{error.name}; {compat.HOW_TO_INSTALL}") from error
        raise
    if hasattr(found, name):
        return getattr(found, name)
    own = [one for one in vars(found).values() if getattr(one, "__module__", None) == found.__name__]
    there = [one.__name__ for one in own if inspect.isclass(one) or inspect.isfunction(one)]
    raise AttributeError(f"it has no {name}; it has {', '.join(there) or 'no class or function'}")


def _estimator_model(found: Any, question: Mapping[str, Any]) -> Any:
    from nextlabel.hosting import estimator  # noqa: PLC0415 - a second to import, for which other models have no use

    new = estimator.estimator_of(found, question["parameters"])
    return estimator.EstimatorModel(new, question["label_config"], question["train_output"])


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
    2. it has a ``setup``, its constructor takes ``project_id``, or the first argument of its fit is ``event``: 2.x;
    3. its fit takes ``workdir``, or any of its methods uses ``train_output``: 1.x;
    4. its predict takes ``context``: 2.x;
    5. it shows none: what is installed.
    """
    own: dict[str, Any] = {}
    for one in reversed(made.__mro__):
        if one not in (object, ABC) and one.__module__ != _BASE:
            own |= vars(one)
    takes = {name: _parameters(own.get(name)) for name in ("__init__", "fit", "predict")}
    functions = (value for value in own.values() if inspect.isfunction(value))
    signs: tuple[tuple[bool, Interface], ...] = (
        ("train_output" in takes["__init__"], "1.x"),
        ("setup" in own or "project_id" in takes["__init__"] or _first(takes["fit"]) == "event", "2.x"),
        ("workdir" in takes["fit"] or any("train_output" in f.__code__.co_names for f in functions), "1.x"),
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
