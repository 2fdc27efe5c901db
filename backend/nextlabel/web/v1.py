"""/api/v1: what `nextlabel status` and `nextlabel models` do, for programs. Shapes are `nextlabel.client.answers`'.

spectree makes the OpenAPI document from what stands at each route; nothing of its own is served beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version as release
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from spectree import Response as Answers
from spectree import SpecTree
from spectree.model_adapter.msgspec_adapter import MsgspecModelAdapter

from nextlabel.client import answers
from nextlabel.errors import PayloadError, SettingsError, UnknownVersion
from nextlabel.labeling import ModelVersion, ProjectId
from nextlabel.service.answering import Service
from nextlabel.service.in_force import without_secrets
from nextlabel.service.overview import Overview
from nextlabel.service.tokens import Tokens
from nextlabel.service.versions import Asked, Versions, values_of
from nextlabel.storage.database import in_utc
from nextlabel.storage.model_store import number_of
from nextlabel.web.api import read_tasks, uncertainties
from nextlabel.web.errors import PREFIX, answer
from nextlabel.web.tokens import require_token

_PROJECT = "/projects/<string(maxlength=64):project>"
_VERSION = f"{_PROJECT}/versions/<string(maxlength=64):version>"
_ABOUT = (
    "Active learning beside your labeling tool. Every route but this document takes a token, `Authorization: Bearer "
    "nextlabel_…`, with the scope that stands at it: `nextlabel tokens create NAME --scope read`. Errors are problem "
    "documents (RFC 9457)."
)

View = TypeVar("View", bound=Callable[..., Any])


def routes(service: Service, overview: Overview, versions: Versions, tokens: Tokens) -> Blueprint:
    """The routes below /api/v1."""
    blueprint, document = Blueprint("v1", __name__, url_prefix=PREFIX), _Document(tokens)
    blueprint.register_error_handler(UnknownVersion, lambda error: answer(str(error), 404))
    blueprint.register_error_handler(SettingsError, lambda error: answer(str(error), 409))
    document.add_itself(blueprint)
    _read_installation(blueprint, document, overview)
    _read_project(blueprint, document, overview)
    _read_versions(blueprint, document, versions)
    _switch_versions(blueprint, document, versions)

    @blueprint.post(f"{_PROJECT}/uncertainty")
    @document.route("read", answers.Uncertainties, body=answers.Tasks)
    def uncertainty(project: str) -> Response:
        """How unsure the model in service is of any tasks, in the project or not."""
        return jsonify(uncertainties(service, None, ProjectId(project), read_tasks(request.get_data())))

    return blueprint


class _Document:
    """What stands at each route, and the OpenAPI document that is made of it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._spec = SpecTree(
            "flask",
            model_adapter=MsgspecModelAdapter(),  # type: ignore[arg-type]  # spectree's own, which it types too narrowly
            mode="strict",
            title="nextlabel",
            version=release("nextlabel"),
            description=_ABOUT,
            validation_error_status=400,
            validation_error_model=answers.Problem,
            naming_strategy=lambda model: model.__name__,
            nested_naming_strategy=lambda _, nested: nested,
        )

    def route(
        self, scope: str, answered: type, *, query: type | None = None, body: type | None = None
    ) -> Callable[[View], View]:
        """A route that takes a token with this scope. spectree only describes it: it would hide a body that is no JSON,
        and cannot write half a surrogate pair, which a label may hold."""
        problems = {f"HTTP_{status}": answers.Problem for status in _problems(scope, query, body)}

        def decorate(view: View) -> View:
            described = self._spec.validate(
                query=query,
                json=body,
                resp=Answers(HTTP_200=answered, **problems),
                security={"token": [scope]},
                skip_validation=True,
                operation_id=view.__name__,
            )

            def with_token(*args: Any, **given: Any) -> Any:
                require_token(self._tokens, scope)
                return view(*args, **given)

            with_token.__name__, with_token.__doc__ = view.__name__, view.__doc__
            return described(with_token)  # type: ignore[no-any-return]

        return decorate

    def add_itself(self, blueprint: Blueprint) -> None:
        """A route for the document, for anybody: it says what there is, and nothing of what is there."""

        @blueprint.get("/openapi.json")
        @self._spec.validate(resp=Answers("HTTP_200"), skip_validation=True, operation_id="openapi")
        def openapi() -> Response:
            """This document."""
            return jsonify(self._made())

    def _made(self) -> Mapping[str, Any]:
        """Of `current_app`; with what spectree has no words for."""
        made: dict[str, Any] = self._spec.spec
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in made["paths"].values():
            for operation in path.values():
                operation["security"] = operation.pop("security", [])
                for status, described in operation["responses"].items():
                    content = described.get("content", {})
                    if int(status) >= 400 and "application/json" in content:
                        content["application/problem+json"] = content.pop("application/json")
        return made


def _problems(scope: str, query: type | None, body: type | None) -> Sequence[int]:
    return (401, 403, 404, 503, *((409,) if scope == "write" else ()), *((413,) if body else ()))


def _read_installation(blueprint: Blueprint, document: _Document, overview: Overview) -> None:
    @blueprint.get("/running")
    @document.route("read", answers.Running)
    def running() -> Response:
        """What runs of the installation."""
        parts = [asdict(one) for one in overview.seen_from_backend()]
        return _written(answers.Running, {"alarm": overview.alarm() or None, "parts": parts})

    @blueprint.get("/projects")
    @document.route("read", answers.Projects, query=answers.Page)
    def projects() -> Response:
        """The projects that are connected, by id."""
        page, after = _page(str)
        known = sorted((one for one in overview.connections.all() if one.project > after), key=lambda one: one.project)
        items = [
            {
                "project": one.project,
                "name": one.name,
                "title": one.title,
                "connector": one.tool.kind,
                "state": one.state,
                "url": one.tool.access.url,
            }
            for one in known[: page.limit]
        ]
        more = len(known) > page.limit
        return _written(answers.Projects, {"items": items, "next": _cursor(items[-1]["project"]) if more else None})


def _read_project(blueprint: Blueprint, document: _Document, overview: Overview) -> None:
    @blueprint.get(_PROJECT)
    @document.route("read", answers.Project)
    def project(project: str) -> Response:
        """A project, as `nextlabel status` shows it."""
        known = overview.connections.get(ProjectId(project))
        shown = next(overview.projects(known.project))
        options = without_secrets(shown["options"])
        checked = shown["stopping"]["checked"]
        shortened = {
            "options": options,
            "unreadable": len(shown["unreadable"]),
            "gain_of_next_100": checked[-1]["gain_of_next_100"] if checked else {},
        }
        return _written(answers.Project, shown | shortened)

    @blueprint.get(f"{_PROJECT}/findings")
    @document.route("read", answers.Findings)
    def findings(project: str) -> Response:
        """What a person should know of a project."""
        known = overview.connections.get(ProjectId(project))
        return _written(answers.Findings, {"items": overview.findings_of(known)})

    @blueprint.get(f"{_PROJECT}/queue")
    @document.route("read", answers.Queue)
    def queue(project: str) -> Response:
        """The order in force, and what its model expected of the open tasks when it was made."""
        return _written(answers.Queue, overview.queue(ProjectId(project)))

    @blueprint.get(f"{_PROJECT}/rounds")
    @document.route("read", answers.Rounds, query=answers.Page)
    def rounds(project: str) -> Response:
        """The rounds of a project, newest first."""
        known = overview.connections.get(ProjectId(project))
        page, before = _page(int)
        found = overview.rounds.last(known.project, page.limit + 1, before=before or None)
        items = [
            {
                "at": in_utc(one.at).isoformat(),
                "seconds": round(one.seconds, 3),
                "summary": one.summary,
                "failed": one.failed,
            }
            for one in found[: page.limit]
        ]
        more = len(found) > page.limit
        return _written(
            answers.Rounds, {"items": items, "next": _cursor(found[page.limit - 1].number) if more else None}
        )


def _read_versions(blueprint: Blueprint, document: _Document, versions: Versions) -> None:
    @blueprint.get(f"{_PROJECT}/versions")
    @document.route("read", answers.Versions, query=answers.Page)
    def list_versions(project: str) -> Response:
        """The versions of a project, newest first."""
        page, before = _page(int)
        found = versions.page(ProjectId(project), page.limit + 1, before=before or None)
        items = [values_of(one) for one in found[: page.limit]]
        more = len(found) > page.limit
        last = number_of(ModelVersion(items[-1]["version"])) if more else None
        return _written(answers.Versions, {"items": items, "next": _cursor(last) if more else None})

    @blueprint.get(_VERSION)
    @document.route("read", answers.Version)
    def show_version(project: str, version: str) -> Response:
        """All that is known of a version."""
        return _written(answers.Version, values_of(versions.one(ProjectId(project), version)))


def _switch_versions(blueprint: Blueprint, document: _Document, versions: Versions) -> None:
    @blueprint.post(f"{_VERSION}/promote")
    @document.route("write", answers.Switched)
    def promote(project: str, version: str) -> Response:
        """Have a version serve until another is chosen or released; a worker then puts the queue in its order."""
        return _switched(versions.ask_promotion(ProjectId(project), version, _who()))

    @blueprint.post(f"{_PROJECT}/rollback")
    @document.route("write", answers.Switched)
    def rollback(project: str) -> Response:
        """Promote the version that served before the one in service."""
        return _switched(versions.ask_rollback(ProjectId(project), _who()))

    @blueprint.post(f"{_PROJECT}/release")
    @document.route("write", answers.Switched)
    def release_versions(project: str) -> Response:
        """Let new versions serve again, beginning with the newest that was held back."""
        return _switched(versions.ask_release(ProjectId(project), _who()))


def _who() -> str:
    return f"token {g.token}"


def _switched(asked: Asked) -> Response:
    return _written(answers.Switched, asdict(asked))


def _written(kind: type, values: Mapping[str, Any]) -> Response:
    """The values in the shape that the document promises: what is not part of it is left out."""
    return jsonify(msgspec.to_builtins(msgspec.convert(values, kind)))


Key = TypeVar("Key", str, int)


def _page(key: type[Key]) -> tuple[answers.Page, Key]:
    """Which part of a list is asked for, and the key that its cursor stands for. Raises `PayloadError`."""
    try:
        page = msgspec.convert(request.args.to_dict(), answers.Page, strict=False)
        text = base64.b64decode(page.cursor, b"-_", validate=True).decode()
        return page, key(text) if text else key()
    except msgspec.ValidationError as error:
        raise PayloadError(f"{error}: limit is 1 to {answers.MOST_AT_ONCE}, cursor the `next` of an answer.") from None
    except (ValueError, OverflowError):
        raise PayloadError("The cursor is none that an answer gave as its `next`: begin without one.") from None


def _cursor(key: object) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode()
