"""The scores of predictions that somebody else's model has left on tasks: only what is a score counts as one."""

from __future__ import annotations

import httpx
import orjson
import pytest

from nextlabel.labeling import QueueVersion, Result, TaskId, ToolProjectId
from nextlabel.ports.tool import Scores, ToolAccess
from nextlabel_connectors.label_studio import predictions
from nextlabel_connectors.label_studio.client import LabelStudioClient
from nextlabel_connectors.label_studio.predictions import Predictions

YOLO = QueueVersion("yolo")


def stored(*tasks: list[dict[str, object]], held: object = ()) -> Predictions:
    """A project of tasks with these predictions, and the model versions that Label Studio tells of."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/api/tasks":
            return httpx.Response(200, json={"static": held, "live": []})
        query = orjson.loads(request.url.params["query"])["filters"]["items"]
        after = next(int(one["value"]) for one in query if isinstance(one["value"], str | int))
        rows = [{"id": n, "predictions": some} for n, some in enumerate(tasks, 1) if n > after]
        return httpx.Response(200, json={"tasks": rows[: int(request.url.params["page_size"])]})

    client = LabelStudioClient(ToolAccess("http://ls", "x"), transport=httpx.MockTransport(answer))
    return Predictions(client, ToolProjectId("1"))


def predicted(number: int, score: object = None, result: object = (), version: object = "yolo") -> dict[str, object]:
    return {"id": number, "model_version": version, "score": score, "result": result}


@pytest.mark.parametrize(
    ("score", "result", "own", "regions"),
    [
        (0.5, [{"score": 0.9}, {"score": "0.25"}, {"value": {}}, {"type": "relation"}], 0.5, (0.9, 0.25)),
        ("much", [{"score": None}, {"score": "x"}, {"score": [1]}, {"score": {}}], None, ()),
        (None, {"score": 1}, None, ()),
        (None, ["score", 7, None, [{"score": 1}]], None, ()),
        ("nan", None, None, ()),
        (None, "result", None, ()),
    ],
)
def test_what_is_no_score_is_passed_over(
    score: object, result: object, own: float | None, regions: tuple[float, ...]
) -> None:
    ((read,),) = stored([predicted(1, score, result)]).scores(YOLO)
    assert (read.score, read.region_scores) == (own, regions)


def test_of_each_task_the_newest_prediction_of_exactly_that_version_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_SCORED_PAGE", 2)
    told = stored(
        [predicted(9, 0.1), predicted(10, 0.2), predicted(11, 0.9, version="yolo-2")],
        [predicted(12, 0.9, version="not yolo"), predicted(13, 0.9, version=None)],
        [predicted(14, 0.4)],
    ).scores(YOLO)
    assert [one for page in told for one in page] == [Scores("1", 0.2), Scores("3", 0.4)]  # type: ignore[arg-type]


def test_more_regions_than_a_person_could_draw_are_not_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "_MOST_REGIONS", 3)
    ((read,),) = stored([predicted(1, None, [{"score": 0.5}] * 10)]).scores(YOLO)
    assert read.region_scores == (0.5,) * 3


def test_what_the_newest_prediction_says_is_told_whole_or_not_at_all() -> None:
    box = {"from_name": "box", "value": {"x": 1}}
    large = {"value": {"rle": "a" * predictions._MOST_BYTES_SHOWN}}
    tasks = [
        [predicted(1, result=[{}]), predicted(3, result=[box, box]), predicted(4, result=[{}], version="other")],
        *([predicted(5, result=some)] for some in ([], "text", [box, 7], [large], [box] * 501, [box] * 500)),
    ]
    asked = [TaskId(str(n)) for n in range(1, 10)]
    told = stored(*tasks).results(YOLO, asked)
    assert told == {"1": Result((box, box)), "7": Result((box,) * 500)}


def test_the_mark_is_of_that_version_alone_and_empty_where_it_has_nothing() -> None:
    held = [
        {"model_version": "yolo", "count": 3, "latest": "2026-11-30T00:00:00Z"},
        {"model_version": "yolo-2", "count": 3, "latest": "2026-11-29T00:00:00Z"},
        {"model_version": "gone", "count": 0, "latest": None},
    ]
    marks = [stored(held=held).mark(QueueVersion(one)) for one in ("yolo", "yolo-2", "gone", "never")]
    assert (len(set(marks)), marks[2:]) == (3, ["", ""])
