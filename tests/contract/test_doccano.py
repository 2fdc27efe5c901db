"""The doccano connector keeps every promise on a real doccano."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from nextlabel.errors import SchemaError, StaleWorker, ToolRejected, VersionTaken
from nextlabel.labeling import Guess, Label, Prediction, QueueVersion, Span, TaskId, labels_in_force
from nextlabel.labeling.ranking import RankedTask, Ranking
from nextlabel.ports.tool import ConnectorType, KeepsOldOrders, OwnOrder, Prepares, Pruned, QueueReceipt, ToolAccess
from nextlabel.testing.contract import (
    CoreContract,
    PredictionsContract,
    TitleContract,
    TokenContract,
    UnreadableContract,
)
from nextlabel.testing.scene import Scene, ids, set_scene
from nextlabel.testing.waiting import CEILING_SECONDS
from nextlabel_connectors.doccano import CONNECTOR
from nextlabel_connectors.doccano.client import DoccanoClient
from nextlabel_connectors.doccano.connector import DoccanoConnector
from nextlabel_connectors.doccano.scores import place_of, score_of
from nextlabel_connectors.doccano.testing import DoccanoPerson, DoccanoServer
from nextlabel_connectors.doccano.testing.harness import DoccanoHarness

V1, V2, V3 = QueueVersion("nextlabel-1"), QueueVersion("nextlabel-1.2"), QueueVersion("nextlabel-2")


@pytest.fixture(scope="module")
def harness(doccano: DoccanoServer) -> Iterator[DoccanoHarness]:
    with DoccanoHarness(doccano) as harness:
        yield harness


class TestDoccanoConnector(CoreContract, PredictionsContract, TitleContract, TokenContract, UnreadableContract):
    crowd_size = 600


class Place:
    """A project of doccano's with tasks, and short words for what happens there."""

    def __init__(
        self,
        harness: DoccanoHarness,
        texts: Sequence[str],
        on_screens: int = 0,
        access: ToolAccess | None = None,
        **kind: Any,
    ) -> None:
        self.harness, self.ann, self.bot = harness, harness.ann, harness.bot
        self.project = harness.create_project(("ham", "spam"), "text", **kind)
        self.tasks = list(harness.add_tasks(self.project, texts))
        self.number = int(self.project)
        self.connector = DoccanoConnector(DoccanoClient(access or harness.access, self.project), on_screens=on_screens)

    def labels(self) -> dict[TaskId, object]:
        """Task → the label in force as a first pull reads it, of those that are closed."""
        target = self.connector.label_schema().targets[0]
        pages = self.connector.changed_tasks(None)
        seen = [one for page in pages for one in page.tasks if one.closed]
        return {one.task.id: target.read(labels_in_force(one.annotations).get(target.name)) for one in seen}

    def rank(
        self,
        version: QueueVersion,
        order: Sequence[TaskId],
        label: Label | None = "ham",
        may_switch: Callable[[], None] = lambda: None,
    ) -> QueueReceipt:
        target = self.connector.label_schema().targets[0].name
        guesses = (Guess(target, label, 0.9),) if label is not None else ()
        predictions = [Prediction(task, version, guesses, 0.1, 0.5) for task in order]
        ranking = Ranking(tuple(RankedTask(one, 0.5) for one in order), "test")
        return self.connector.place(version, ranking, predictions, may_switch=may_switch)

    def scores(self) -> dict[TaskId, float]:
        """Of all tasks that have another one than doccano's own."""
        rows = self.ann.tasks(self.number)
        return {TaskId(str(row["id"])): row["score"] for row in rows if row["score"] != 100}

    def given(self, task: TaskId, by: DoccanoPerson, kind: str = "categories") -> int:
        """How many labels on the task this account has given."""
        return sum(one["user"] == by.id for one in self.ann.labels(self.number, int(task), kind))


MULTI: dict[str, Any] = {"single_class_classification": False}
SPANS: dict[str, Any] = {"kind": "SequenceLabeling"}


def test_it_is_a_connector_that_prepares_and_keeps_old_orders_and_is_never_called(harness: DoccanoHarness) -> None:
    assert isinstance(CONNECTOR, ConnectorType)
    connector = CONNECTOR.open(harness.access, harness.unknown_project())
    assert (isinstance(connector, Prepares), isinstance(connector, KeepsOldOrders)) == (True, True)
    assert (CONNECTOR.webhooks, CONNECTOR.ml_backend) == (None, None)


# --- what is to be labeled, and what people say ----------------------------------------------------------------


@pytest.mark.parametrize(("kind", "target"), [({}, "choice"), (MULTI, "choices"), (SPANS, "spans")], ids=str)
def test_each_type_of_project_has_its_kind_of_target(
    harness: DoccanoHarness, kind: dict[str, Any], target: str
) -> None:
    (found,) = Place(harness, [], **kind).connector.label_schema().targets
    assert (found.kind, found.labels) == (target, ("ham", "spam"))


def test_another_type_of_project_is_refused_with_those_that_are_supported(harness: DoccanoHarness) -> None:
    with pytest.raises(SchemaError, match=r"Seq2seq.*DocumentClassification and SequenceLabeling"):
        Place(harness, [], kind="Seq2seq").connector.label_schema()


def test_several_labels_and_spans_are_read_as_they_were_given(harness: DoccanoHarness) -> None:
    several = Place(harness, ["mail"] * 3, **MULTI)
    for label in ("spam", "ham"):
        several.ann.give(several.number, int(several.tasks[0]), label)
    several.ann.confirm(several.number, int(several.tasks[1]))
    assert several.labels() == {several.tasks[0]: ("ham", "spam"), several.tasks[1]: ()}
    marked = Place(harness, ["Ham from Spain", "nothing"], **SPANS)
    marked.ann.mark(marked.number, int(marked.tasks[0]), 9, 14, "spam")
    marked.ann.mark(marked.number, int(marked.tasks[0]), 0, 3, "ham")
    marked.ann.confirm(marked.number, int(marked.tasks[1]))
    assert marked.labels() == {marked.tasks[0]: (Span(0, 3, "ham"), Span(9, 14, "spam")), marked.tasks[1]: ()}


def test_a_single_choice_that_is_confirmed_without_a_label_is_skipped(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 2)
    place.ann.confirm(place.number, int(place.tasks[0]))
    assert place.labels() == {place.tasks[0]: None}
    seen = {one.task.id: one for page in place.connector.changed_tasks(None) for one in page.tasks}
    assert [one.skipped for one in seen[place.tasks[0]].annotations] == [True]


def test_a_pre_annotation_is_a_label_once_a_person_has_confirmed_it(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 4)
    place.rank(V1, place.tasks, "spam")
    assert place.labels() == {}
    agreed, changed, _, unconfirmed = place.tasks
    place.ann.confirm(place.number, int(agreed))
    place.ann.give(place.number, int(changed), "ham")
    place.ann.confirm(place.number, int(changed))
    place.ann.give(place.number, int(unconfirmed), "ham")
    assert place.labels() == {agreed: "spam", changed: "ham", unconfirmed: "ham"}


def test_what_a_person_adds_to_a_pre_annotation_counts_alone_until_it_is_confirmed(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"], **MULTI)
    place.rank(V1, place.tasks, ("spam",))
    (task,) = place.tasks
    place.ann.give(place.number, int(task), "ham")
    assert place.labels() == {task: ("ham",)}
    place.ann.confirm(place.number, int(task))
    assert place.labels() == {task: ("ham", "spam")}


@pytest.mark.parametrize("kind", [{}, SPANS], ids=str)
def test_every_change_of_a_label_comes_with_the_next_pull_and_nothing_else(
    harness: DoccanoHarness, kind: dict[str, Any]
) -> None:
    """Also those that leave the numbers of labels as they were."""
    place = Place(harness, ["mail to you"] * 40, **kind)
    place.rank(V1, place.tasks[20:], ((Span(0, 4, "spam"),) if kind else "spam"))
    cursor = None

    def pull() -> set[TaskId]:
        nonlocal cursor
        received = set()
        for page in place.connector.changed_tasks(cursor):
            received |= {one.task.id for one in page.tasks}
            cursor = page.cursor
        return received

    def label(task: TaskId, label: str, start: int = 0) -> None:
        if kind:
            for one in place.ann.labels(place.number, int(task), "spans"):
                place.ann.take_back(place.number, int(task), one["id"], "spans")
            place.ann.mark(place.number, int(task), start, 4, label)
        else:
            place.ann.give(place.number, int(task), label)

    assert (pull(), pull()) == (set(place.tasks), set())
    first, second, guessed = place.tasks[0], place.tasks[1], place.tasks[30]
    label(first, "ham")
    label(second, "spam")
    assert (pull(), pull()) == ({first, second}, set())
    label(first, "spam")
    label(second, "ham")
    assert (pull(), pull()) == ({first, second}, set())
    place.ann.confirm(place.number, int(first))
    assert (pull(), pull()) == ({first}, set())
    if kind:
        label(first, "spam", start=2)  # the same label in another place
        assert (pull(), pull()) == ({first}, set())
    label(guessed, "spam")  # as it was guessed, but now a person says so
    assert (pull(), pull()) == ({guessed}, set())
    place.ann.confirm(place.number, int(guessed))
    assert (pull(), pull()) == ({guessed}, set())
    place.harness.spoil(place.project, second)
    place.harness.mend(place.project, second)
    place.ann.call("GET", f"/projects/{place.number}")
    place.bot.change_task(place.number, int(second), text="another text")
    assert (pull(), pull()) == ({second}, set())
    assert place.labels()[second] == ((Span(0, 4, "ham"),) if kind else "ham")


# --- the order -------------------------------------------------------------------------------------------------


def test_a_score_comes_back_from_doccano_as_it_was_written_and_says_which_place_it_is(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 4)
    places = [
        ("nextlabel-untrained-1", 0),
        ("nextlabel-1", 0),
        ("nextlabel-99999.9999", 9_999),
        ("nextlabel-7.2", 2**20 - 2),
    ]
    for task, (version, number) in zip(place.tasks, places, strict=True):
        place.bot.change_task(place.number, int(task), score=score_of(QueueVersion(version), number))
    assert [place_of(place.scores()[task]) for task in place.tasks] == places
    for strange in (100.0, 0.93, 22_345.0, 22_345.678, 1e300, -1.0, 20_000.0):
        assert place_of(strange) is None


def test_later_orders_and_earlier_places_have_higher_scores() -> None:
    names = ("untrained-1", "untrained-1.2", "2", "2.2", "2.10", "3", "10", "10.2")
    versions = [QueueVersion(f"nextlabel-{name}") for name in names]
    scores = [score_of(version, number) for version in versions for number in (9_999, 1, 0)]
    assert (scores == sorted(scores), len(set(scores)), scores[0] > 100) == (True, len(scores), True)


@pytest.mark.parametrize("version", ["7", "nextlabel-07", "nextlabel-7.0", "nextlabel-100000", "nextlabel-1.10000", ""])
def test_an_order_for_which_there_is_no_score_is_refused(version: str) -> None:
    with pytest.raises(ToolRejected, match="no score"):
        score_of(QueueVersion(version), 0)


def test_random_order_does_not_stand_in_the_way_of_the_link(harness: DoccanoHarness) -> None:
    scene = set_scene(harness, 8)
    harness.owner.change_project(int(scene.project), random_order=True)
    order = [scene.tasks[n] for n in (5, 1, 6, 0)]
    scene.rank(V1, order)
    assert ids(scene.work(4)) == order


def test_scores_of_somebody_s_own_are_never_overwritten_and_are_named(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 4)
    low, high, *others = place.tasks
    place.bot.change_task(place.number, int(low), score=0.93)
    assert place.rank(V1, others).written == 2
    with pytest.raises(ToolRejected, match=rf"1 task .*0\.93 on task {low}.*score 100"):
        place.rank(V2, [low, *others])
    place.bot.change_task(place.number, int(high), score=777)
    with pytest.raises(ToolRejected, match="scores that nextlabel did not give"):
        place.rank(V2, others)
    assert (place.scores()[low], place.scores()[high]) == (0.93, 777)
    problems = [one.message for one in place.connector.prepare() if one.level == "problem"]
    assert ["2 tasks" in one and "777" in one for one in problems] == [True]


def test_an_order_of_another_installation_is_noticed(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 4)
    place.rank(V3, place.tasks[:2])
    with pytest.raises(VersionTaken):
        place.rank(V3, place.tasks[2:])
    with pytest.raises(ToolRejected, match="another nextlabel orders this project too"):
        place.rank(V2, place.tasks[2:])
    assert place.connector.queue_in_force(standing=2) == V3


# --- pre-annotations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "what", "first", "then", "numbers"),
    [
        ({}, "categories", "ham", "spam", (1, 1)),
        (MULTI, "categories", ("ham",), ("ham", "spam"), (1, 2)),
        (SPANS, "spans", (Span(0, 3, "ham"), Span(4, 8, "spam")), (Span(0, 4, "ham"),), (2, 1)),
    ],
    ids=["choice", "choices", "spans"],
)
def test_pre_annotations_follow_the_order_and_go_with_it_but_never_where_a_person_labels(
    harness: DoccanoHarness, kind: dict[str, Any], what: str, first: Label, then: Label, numbers: tuple[int, int]
) -> None:
    place = Place(harness, ["Ham from Spain"] * 6, **kind)
    labeled, confirmed, *others = place.tasks
    place.rank(V1, place.tasks, first)
    number = place.given(others[0], place.bot, what)
    if what == "spans":
        place.ann.mark(place.number, int(labeled), 9, 14, "spam")
    else:
        place.ann.give(place.number, int(labeled), "spam")
    place.ann.confirm(place.number, int(confirmed))
    before = {task: place.ann.labels(place.number, int(task), what) for task in (labeled, confirmed)}
    place.rank(V2, place.tasks, then)
    assert number == numbers[0]
    assert {place.given(task, place.bot, what) for task in others} == {numbers[1]}
    probs = {one["prob"] for one in place.ann.labels(place.number, int(others[0]), what)}
    assert probs == {0.9}
    place.rank(V3, others[:1], then)
    assert place.connector.prune([OwnOrder(V1), OwnOrder(V2)], 100) == Pruned(5, (V1, V2))
    assert set(place.scores()) == {others[0]}
    assert [place.given(task, place.bot, what) > 0 for task in others] == [True, False, False, False]
    list(place.connector.restore({}, [OwnOrder(V3, tuple(others[:1]))]))
    assert (place.scores(), place.given(others[0], place.bot, what)) == ({}, 0)
    assert {task: place.ann.labels(place.number, int(task), what) for task in (labeled, confirmed)} == before


def test_what_may_be_open_in_a_browser_keeps_its_pre_annotation_until_nobody_is_at_work(
    harness: DoccanoHarness,
) -> None:
    """Who has the task open would confirm what they cannot see: doccano's page does not follow."""
    place = Place(harness, ["mail"] * 6, on_screens=2)
    open_ones, later = place.tasks[:2], place.tasks[2:]
    place.rank(V1, place.tasks, "ham")
    place.rank(V2, [*later, *open_ones], "spam")

    def shown(task: TaskId) -> list[str]:
        texts = {number: text for text, number in place.ann.types(place.number).items()}
        return [texts[one["label"]] for one in place.ann.labels(place.number, int(task))]

    assert [shown(task) for task in open_ones + later] == [["ham"]] * 2 + [["spam"]] * 4
    place.rank(V3, open_ones, "spam")
    assert place.connector.prune([OwnOrder(V2)], 100) == Pruned(2, ())
    assert [shown(task) for task in later] == [["spam"]] * 2 + [[]] * 2
    assert place.connector.prune([OwnOrder(V2)], 100, at_rest=True) == Pruned(2, (V2,))
    assert [shown(task) for task in later] == [[]] * 4


def test_a_task_whose_pre_annotation_doccano_refuses_stands_in_the_order_with_nothing_shown(
    harness: DoccanoHarness,
) -> None:
    place = Place(harness, ["Ham from Spain"] * 2, **SPANS)
    receipt = place.rank(V1, place.tasks[:1], (Span(0, 8, "ham"), Span(4, 14, "spam")))
    assert (receipt.written, receipt.refused, receipt.head[0]) == (1, (place.tasks[0],), place.tasks[0])
    assert place.given(place.tasks[0], place.bot, "spans") == 0


def test_the_pre_annotations_of_an_order_that_was_overtaken_go_with_the_others(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 3)
    place.ann.give(place.number, int(place.tasks[2]), "ham")

    def overtaken() -> None:
        raise StaleWorker("another worker has taken over")

    with pytest.raises(StaleWorker):
        place.rank(V1, place.tasks[:2], "spam", may_switch=overtaken)
    assert (place.scores(), place.given(place.tasks[0], place.bot)) == ({}, 1)
    assert [one.level for one in place.connector.restore({}, [])] == ["done"]
    assert [len(place.ann.labels(place.number, int(task))) for task in place.tasks] == [0, 0, 1]
    assert [one.level for one in place.connector.restore({}, [])] == ["unchanged"]


# --- old orders ------------------------------------------------------------------------------------------------


def test_only_the_places_of_the_orders_named_are_taken_back_in_small_lots(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 7)
    place.rank(V1, place.tasks[:5])
    place.rank(V2, place.tasks[3:6])
    place.bot.change_task(place.number, int(place.tasks[6]), score=0.5)
    assert place.connector.predictions_held() == {V1: 3, V2: 3}
    elsewhere = OwnOrder(V1, (place.tasks[1], place.tasks[0], place.tasks[2]))
    assert place.connector.prune([elsewhere], 100) == Pruned(1, (V1,))  # only task 2 has the place that this order says
    assert place.connector.prune([OwnOrder(V1), OwnOrder(V2)], 1) == Pruned(1, ())
    assert place.connector.prune([OwnOrder(V1), OwnOrder(V2)], 9) == Pruned(1, (V1,))
    assert (place.connector.predictions_held(), place.scores()[place.tasks[6]]) == ({V2: 3}, 0.5)


# --- before the first order ------------------------------------------------------------------------------------


def test_a_good_project_gets_the_link_and_is_left_as_it_was(harness: DoccanoHarness) -> None:
    place = Place(harness, ["Ham from Spain"], random_order=True, **SPANS)
    before = harness.owner.project(place.number)
    (found,) = place.connector.prepare()
    assert (found.level, "/sequence-labeling?page=1&isChecked=false&ordering=-score" in found.message) == (
        "unchanged",
        True,
    )
    assert (harness.owner.project(place.number), place.scores()) == (before, {})


def test_what_is_wrong_with_a_project_or_an_account_is_said_with_its_remedy(harness: DoccanoHarness) -> None:
    def problems(access: ToolAccess, place: Place) -> list[str]:
        connector = CONNECTOR.open(access, place.project)
        assert isinstance(connector, Prepares)
        return [f"{one.level}: {one.message}" for one in connector.prepare() if one.level != "unchanged"]

    apart = Place(harness, ["mail"], collaborative_annotation=False)
    assert ["'Share annotations across all users'" in one for one in problems(harness.access, apart)] == [True]
    with pytest.raises(SchemaError, match="Share annotations"):
        list(apart.connector.changed_tasks(None))
    good = Place(harness, ["mail"])
    assert ["make it a project admin" in one for one in problems(harness.access_of(harness.ann), good)] == [True]
    person = harness.access_of(harness.owner)
    harness.owner.confirm(good.number, int(good.tasks[0]))
    assert [one[:8] for one in problems(person, good)] == ["warning:"]
    assert "an account of its own" in problems(person, good)[0]
    assert ["Seq2seq" in one for one in problems(harness.access, Place(harness, [], kind="Seq2seq"))] == [True]


def test_labels_that_a_person_gives_with_nextlabel_s_own_account_are_read_all_the_same(harness: DoccanoHarness) -> None:
    place = Place(harness, ["mail"] * 2)
    place.rank(V1, place.tasks, "ham")
    place.bot.give(place.number, int(place.tasks[0]), "spam")
    assert place.labels() == {place.tasks[0]: "spam"}


@pytest.mark.parametrize(
    "url", ["ftp://label.example.org", "label.example.org", "http://ann:secret@label", "http://x:y"]
)
def test_an_address_that_cannot_be_one_is_refused(harness: DoccanoHarness, url: str) -> None:
    with pytest.raises(ToolRejected):
        CONNECTOR.open(ToolAccess(url, "token"), harness.unknown_project())


def test_a_row_is_read_once_though_rows_go_and_come_while_the_list_is_read(harness: DoccanoHarness) -> None:
    scene: Scene = set_scene(harness, 60)
    client = DoccanoClient(harness.access, scene.project)
    rows = client.rows("examples", {"ordering": "created_at"})
    read = [str(next(rows)["id"]) for _ in range(10)]
    for task in scene.tasks[:9]:
        harness.delete_task(scene.project, task)
    more = harness.add_tasks(scene.project, ["one more"])
    assert [*read, *(str(row["id"]) for row in rows)] == [*scene.tasks, *more]


# --- on doccano's own page ---------------------------------------------------------------------------------------


SCREENSHOTS = Path(".cache/screenshots")


@pytest.fixture(scope="module")
def browser(chromium: Browser, doccano: DoccanoServer, harness: DoccanoHarness) -> Iterator[BrowserContext]:
    """Signed in as an annotator."""
    with chromium.new_context(viewport={"width": 1280, "height": 640}) as context:
        context.set_default_timeout(1_000 * CEILING_SECONDS)
        account = {"username": harness.ann.name, "password": harness.ann.password}
        context.request.post(f"{doccano.url}/v1/auth/login/", data=account)
        yield context


class Annotator:
    """Works at nextlabel's link with the keys that doccano's page knows."""

    def __init__(self, page: Page, place: Place, link: str) -> None:
        self.page, self.place, self.link = page, place, link

    def open_link(self, text: str) -> None:
        self.page.goto(self.link)
        self.sees(text)

    def sees(self, text: str) -> None:
        """The text, and the pre-annotation chosen."""
        expect(self.page.get_by_text(text, exact=True)).to_be_visible(timeout=1_000 * CEILING_SECONDS)
        expect(self.page.locator(".v-chip--active")).to_contain_text("spam", timeout=1_000 * CEILING_SECONDS)

    def confirm(self) -> None:
        """As it stands, with the pre-annotation; returns when doccano's page has read its list again: it shows the
        old task on when it is turned before that."""
        confirmed = len(self.place.ann.tasks(self.place.number, confirmed="true"))
        self.page.keyboard.press("Enter")
        complete = self.page.get_by_role("listitem").filter(has_text="Complete")
        expect(complete).to_have_text(f"Complete {confirmed + 1}", timeout=1_000 * CEILING_SECONDS)

    def turn(self, key: str, text: str) -> None:
        self.page.keyboard.press(key)
        self.sees(text)


def test_the_link_serves_the_order_and_the_two_arrow_keys_stay_within_the_best_two(
    harness: DoccanoHarness, browser: BrowserContext
) -> None:
    """doccano drops a confirmed task from the list that it is paging through: only going right would skip every other
    task."""
    place = Place(harness, [f"the mail with number {n}" for n in range(10)])
    served = [7, 2, 9, 4, 0, 5, 8]
    texts = [f"the mail with number {n}" for n in served]
    place.rank(V1, [place.tasks[n] for n in served], "spam")
    (found,) = place.connector.prepare()
    page = browser.new_page()
    ann = Annotator(page, place, found.message.rpartition(" ")[2])
    try:
        for text in texts[:2]:
            ann.open_link(text)
            ann.confirm()
        ann.open_link(texts[2])
        page.screenshot(path=SCREENSHOTS / "doccano-link.png")
        ann.confirm()
        for key, text in (("ArrowRight", texts[4]), ("ArrowLeft", texts[3]), ("ArrowRight", texts[6])):
            ann.turn(key, text)
            ann.confirm()
    finally:
        page.screenshot(path=SCREENSHOTS / "doccano.png")
        page.close()
    assert place.labels() == {place.tasks[n]: "spam" for n in (7, 2, 9, 0, 4, 8)}


def test_marked_pieces_of_a_text_are_seen_at_the_link(harness: DoccanoHarness, browser: BrowserContext) -> None:
    place = Place(harness, ["Ham from Spain", "another text"], **SPANS)
    place.rank(V1, place.tasks[:1], (Span(9, 14, "spam"),))
    (found,) = place.connector.prepare()
    page = browser.new_page()
    try:
        page.goto(found.message.rpartition(" ")[2])
        expect(page.locator("svg").get_by_text("spam").first).to_be_visible()
    finally:
        page.screenshot(path=SCREENSHOTS / "doccano-spans.png")
        page.close()
