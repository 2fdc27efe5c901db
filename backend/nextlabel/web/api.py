"""nextlabel's own API: how unsure the model in service is of any tasks."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from flask import Blueprint, Response, jsonify, request

from nextlabel.errors import PayloadError
from nextlabel.labeling import ProjectId, Task, TaskId
from nextlabel.ports.requests import check_number_of_tasks
from nextlabel.service.answering import Service
from nextlabel.web.authentication import Authentication, tools


def routes(service: Service, authentication: Authentication) -> Blueprint:
    """The routes below /api."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")

    @blueprint.post("/projects/<project>/uncertainty")
    def uncertainty(project: str) -> Response:
        callers = authentication.require_basic()
        tasks = read_tasks(request.get_data())
        return jsonify(uncertainties(service, tools(callers), ProjectId(project), tasks))

    return blueprint


def uncertainties(
    service: Service, tools: tuple[str, ...] | None, project: ProjectId, tasks: list[Task]
) -> dict[str, object]:
    """What is answered; ``tools`` are those whose credentials were shown, None for a token."""
    version, measures = service.uncertainty(tools, project, tasks)
    results = [{"id": task.id, **asdict(one)} for task, one in zip(tasks, measures, strict=True)]
    return {"model_version": version, "results": results}


def read_tasks(body: bytes) -> list[Task]:
    """Raises `PayloadError`."""
    try:
        sent = orjson.loads(body)["tasks"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        sent = None
    if not isinstance(sent, list):
        raise PayloadError('Send {"tasks": [{"id": …, "data": {…}}, …]}.')
    check_number_of_tasks(len(sent), body)
    return [_task(n, one) for n, one in enumerate(sent)]


def _task(n: int, sent: object) -> Task:
    data = sent.get("data") if isinstance(sent, dict) else None
    if not isinstance(sent, dict) or not isinstance(data, dict):
        raise PayloadError(f'tasks[{n}] has no "data" object: send {{"id": …, "data": {{"<field>": …}}}}.')
    return Task(TaskId(str(sent.get("id", n))), data)
