"""What an annotator sees: the pre-annotation of each kind, in Label Studio's own editor in a real browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as NotShown

from e2e.kinds import KINDS, picture
from e2e.test_every_kind import complaints, taught
from everything import representing
from nextlabel.features.layouts import text_for_spans
from nextlabel.labeling import Guess, Label, Placed, Prediction, QueueVersion, Span, Task, TaskId, read_field
from nextlabel.testing.installation import Nextlabel, findings
from nextlabel.testing.waiting import CEILING_SECONDS, wait_for
from nextlabel_connectors.label_studio.label_config import parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from nextlabel_connectors.label_studio.testing import LabelStudioPerson, LabelStudioServer
from nextlabel_connectors.label_studio.testing.people import single_choice
from written import write_result

SCREENSHOTS = Path(".cache/screenshots")
_TASKS, _LABELS = 24, 12


SEEN: Mapping[str, str] = {
    "single choice": ".lsf-choices input:checked, .ant-radio-checked, .ant-checkbox-checked",
    "image choice": ".lsf-choices input:checked, .ant-radio-checked, .ant-checkbox-checked",
    "options of each task": ".lsf-choices input:checked, .ant-radio-checked, .ant-checkbox-checked",
    "rating": ".ant-rate-star-full",
    "spans": ".htx-highlight",
    "spans of turns": ".htx-highlight",
    "spans of a page": ".htx-highlight",
}
"""Kind → what only a pre-annotation puts on the page of a task that nobody has opened before."""


@pytest.fixture(scope="module")
def browser(chromium: Browser, label_studio: LabelStudioServer, owner: LabelStudioPerson) -> BrowserContext:
    """Signed in as the owner."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(1_000 * CEILING_SECONDS)
    context.add_cookies([{"name": k, "value": v, "url": label_studio.url} for k, v in owner.cookies.items()])
    return context


@pytest.mark.parametrize("name", representing(SEEN, set(SEEN) - {"options of each task"}))
def test_the_pre_annotation_is_seen_in_the_editor(
    name: str,
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    browser: BrowserContext,
) -> None:
    project, _ = taught(KINDS[name], _TASKS, _LABELS, nextlabel, label_studio)
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?labeling=1")
    place = page.frame_locator("iframe[class*=richtext]").locator("body") if "page" in name else page.locator("body")
    try:
        expect(place.locator(SEEN[name]).first).to_be_attached(timeout=120_000)
    finally:
        page.screenshot(path=SCREENSHOTS / f"{name.replace(' ', '-')}.png")
        page.close()


def test_the_percentage_beside_a_prediction_is_how_sure_the_model_is(
    nextlabel: Nextlabel,
    label_studio: LabelStudioServer,
    owner: LabelStudioPerson,
    browser: BrowserContext,
) -> None:
    """Of one that knows nothing of four labels, even beside the task that comes first."""
    project = owner.create_project("one of four", single_choice(("one", "two", "three", "four")))
    owner.import_tasks(project, [{"text": f"text {n}"} for n in range(6)])
    findings(nextlabel.connect(project, label_studio.legacy_access))
    page = browser.new_page()
    try:
        for task in nextlabel.queues(project)[0].window[::5]:
            page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
            expect(page.locator("[title^='Prediction score']").first).to_contain_text("25.00%")
    finally:
        page.screenshot(path=SCREENSHOTS / "percentage.png")
        page.close()


_A_AND_B = '<Label value="A"/><Label value="B"/>'
_PAGE = """<html><head><title>no</title></head><body>
<h1>From Acme &amp; Sons</h1><!-- no --><script>var no;</script>
<p>Dear <b>Bob</b>&nbsp;Smith,<br>we sent 😀 you <i>3</i> boxes of
  green tea.</p><table><tr><td>Berlin</td><td>May</td></tr></table>
Yours, Ann</body></html>"""
_TALK = [
    {"who": "Ann", "what": "Hello 😀 Bob & <b>you</b>, how  are you?"},
    {"who": "Bob", "what": "Well,\nin Berlin \r\n since May"},
    {"who": "Ann", "what": "😀 Oh"},
]
_REGIONS: Mapping[str, tuple[str, dict[str, object], str, list[list[str]]]] = {
    "page": (
        '<HyperTextLabels name="it" toName="o">{}</HyperTextLabels><HyperText name="o" value="$html"/>',
        {"html": _PAGE},
        "iframe[class*=richtext]",
        [
            ["Acme & Sons"],
            ["Bob", "\xa0Smith"],
            ["😀 you ", "3", " boxes of\n  green tea"],
            ["Berlin"],
            ["May"],
            ["Ann"],
        ],
    ),
    "text with labels of its own": (
        '<Labels name="it" toName="o" value="$labels"/><Text name="o" value="$text"/>',
        {"text": "Ann 😀 met Bob in Berlin.", "labels": [{"value": "A"}, {"value": "long", "alias": "B"}]},
        "body",
        [["Ann"], ["Bob"], ["Berlin"]],
    ),
    "dialogue": (
        '<ParagraphLabels name="it" toName="o">{}</ParagraphLabels>'
        '<Paragraphs name="o" value="$talk" nameKey="who" textKey="what" layout="dialogue"/>',
        {"talk": _TALK},
        "[data-testid=phrases-wrapper]",
        [["Bob"], ["<b>you"], ["are"], ["you?", "Well"], ["Berlin \r\n since"], ["Oh"]],
    ),
}
"""What shows texts → a control on it, a task, where it is shown, and the pieces that are highlighted of each region."""

_HIGHLIGHTED = """root => {
  const regions = {};
  for (const one of root.querySelectorAll(".htx-highlight"))
    (regions[[...one.classList].find(name => name.startsWith("htx-highlight-")) ?? one.className] ??= [])
      .push(one.textContent);
  return Object.values(regions).flat();
}"""


def _open_until_highlighted(page: Page, address: str, shown: Locator) -> None:
    """On a machine with ten times too much to do the editor once highlighted nothing until it was opened again."""
    for _ in range(4):
        page.goto(address)
        with suppress(NotShown):
            shown.locator(".htx-highlight").first.wait_for(state="attached", timeout=120_000)
            return


@pytest.mark.parametrize("name", _REGIONS)
def test_regions_are_seen_at_their_characters_and_are_the_same_when_they_are_submitted(
    name: str, label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    tags, data, place, marked = _REGIONS[name]
    xml = f"<View>{tags.format(_A_AND_B)}</View>"
    config = parse_label_config(xml)
    (target,) = config.schema.targets
    text = text_for_spans(data, target.inputs[0])
    assert text is not None
    spans = []
    for n, parts in enumerate(marked):
        found = re.search(r"\n?".join(map(re.escape, parts)), text)
        assert found is not None
        spans.append(Span(found.start(), found.end(), "AB"[n % 2]))
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", tuple(spans), 0.9),), 0.1, 0.1)
    written = write_result(prediction, config, data)
    assert not complaints(label_studio, xml, [{"result": written, "score": 0.5, "model_version": "1"}])
    project = owner.create_project(f"regions of a {name}", xml)
    (task,) = owner.import_tasks(project, [data])
    owner.import_result(project, task, "1", written)
    page = browser.new_page()
    try:
        shown = page.frame_locator(place).locator("body") if place.startswith("iframe") else page.locator(place)
        _open_until_highlighted(page, f"{label_studio.url}/projects/{project}/data?task={task}", shown)
        expect(shown.locator(".htx-highlight")).to_have_count(sum(map(len, marked)), timeout=60_000)
        wanted = sorted(part for parts in marked for part in parts)
        # The editor may draw its text once more, and for that moment nothing is highlighted.
        wait_for(lambda: sorted(shown.evaluate(_HIGHLIGHTED)) == wanted, f"for {wanted}")
        page.screenshot(path=SCREENSHOTS / f"regions-of-a-{name}.png")
        page.get_by_role("button", name="Submit").first.click()
        wait_for(lambda: owner.tasks(project)[0]["is_labeled"])
    finally:
        page.close()
    (annotation,) = owner.tasks(project)[0]["annotations"]
    assert target.read(read_labels(annotation["result"], config, data)["it"]) == tuple(sorted(spans))
    rewritten = [{**one["value"]} for one in annotation["result"]]
    assert all(one.pop("text") is not None for one in rewritten)
    assert rewritten == [one["value"] for one in written]


_ITEMS: list[dict[str, object]] = [
    {"id": "a", "title": "first"},
    {"id": 2, "body": "second"},
    {"id": "c", "html": "<b>third</b>"},
]
_ORDERS: Mapping[str, tuple[str, tuple[Placed, ...], list[list[str]]]] = {
    "order": ("", (Placed("", "c"), Placed("", "a"), Placed("", "2")), [["c", "a", "2"]]),
    "buckets": (
        '<Bucket name="good" title="Good"/><Bucket name="bad" title="Bad"/>',
        (Placed("", "2"), Placed("good", "c"), Placed("good", "a")),
        [["2"], ["c", "a"], []],
    ),
    "default bucket": (
        '<Bucket name="good" title="Good"/><Bucket name="rest" title="Rest" default="true"/>',
        (Placed("good", "c"), Placed("rest", "2"), Placed("rest", "a")),
        [["c"], ["2", "a"]],
    ),
}
"""The buckets of a <Ranker>, an order, and the items in each column of the editor."""

_COLUMNS = """page => [...page.querySelectorAll(".htx-ranker-column")].map(
  column => [...column.querySelectorAll("[data-ranker-id]")].map(item => item.dataset.rankerId))"""


@pytest.mark.parametrize("name", representing(_ORDERS, set(_ORDERS) - {"buckets"}))
def test_an_order_of_items_is_seen_as_predicted_and_is_the_same_when_it_is_submitted(
    name: str, label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    buckets, label, columns = _ORDERS[name]
    xml = f'<View><List name="o" value="$items"/><Ranker name="it" toName="o">{buckets}</Ranker></View>'
    config = parse_label_config(xml)
    data: dict[str, object] = {"items": _ITEMS}
    (target,) = config.schema.targets
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", label, 0.9),), 0.1, 0.1)
    written = write_result(prediction, config, data)
    assert not complaints(label_studio, xml, [{"result": written, "score": 0.5, "model_version": "1"}])
    project = owner.create_project(name, xml)
    predicted, untouched = owner.import_tasks(project, [data, data])
    owner.import_result(project, predicted, "1", written)
    page = browser.new_page()
    try:
        results: list[list[dict[str, Any]]] = []
        for task, shown in ((predicted, columns), (untouched, None)):
            page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
            expect(page.locator("[data-ranker-id]")).to_have_count(len(_ITEMS), timeout=120_000)
            assert shown in (None, page.locator("body").evaluate(_COLUMNS))
            page.screenshot(path=SCREENSHOTS / f"{name.replace(' ', '-')}-{len(results)}.png")
            page.get_by_role("button", name="Submit").first.click()
            results.append(wait_for(partial(_result_of, owner, project, task), str(task)))
    finally:
        page.close()
    assert [one["value"] for one in results[0]] == [one["value"] for one in written]
    as_it_was, as_listed = (target.read(read_labels(one, config, data)["it"]) for one in results)
    assert as_it_was == label
    bucket = "rest" if name == "default bucket" else ""
    assert as_listed == tuple(Placed(bucket, item) for item in target.offered(Task(TaskId("1"), data)))


def _result_of(owner: LabelStudioPerson, project: int, task: int) -> list[dict[str, Any]]:
    """What was submitted for a task; nothing until then."""
    (found,) = [one for one in owner.tasks(project) if one["id"] == task]
    return [item for annotation in found["annotations"] for item in annotation["result"]]


def test_the_editor_writes_down_answers_about_several_objects(
    nextlabel: Nextlabel, label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    """Without the blank item that nextlabel writes for them it does not."""
    texts = '<Text name="one" value="$one"/><Text name="two" value="$two"/>'
    config = f'<View>{texts}<Choices name="c" toName="one,two"><Choice value="warm"/><Choice value="cold"/></Choices>'
    project = owner.create_project("several objects", f"{config}</View>")
    owner.import_tasks(project, [{"one": f"text {n}", "two": f"other {n}"} for n in range(4)])
    findings(nextlabel.connect(project, label_studio.legacy_access))
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?labeling=1")
    try:
        page.get_by_text("cold").first.click()
        page.get_by_role("button", name="Submit").first.click()
        wait_for(lambda: any(task["is_labeled"] for task in owner.tasks(project)))
    finally:
        page.screenshot(path=SCREENSHOTS / "several-objects.png")
        page.close()
    (answer,) = [one["result"] for task in owner.tasks(project) for one in task["annotations"]]
    assert read_labels(answer, parse_label_config(f"{config}</View>")) == {"c": "cold"}


_TREE = '<Choice value="outdoors"/><Choice value="indoors"><Choice value="kitchen"/><Choice value="bath"/></Choice>'
_TREE_OF_TASK: list[dict[str, object]] = [
    {"value": "outdoors"},
    {"value": "indoors", "children": [{"value": "kitchen"}, {"value": "bath"}]},
]
_NESTED = '<Text name="o" value="$text"/><Choices name="it" toName="o" allowNested="true" choice="{}" {}>{}</Choices>'
_CLICKED: Mapping[str, tuple[str, dict[str, object], str, Label]] = {
    "a choice about images": (
        '<Image name="o" valueList="$pages"/>'
        '<Choices name="it" toName="o"><Choice value="indoors"/><Choice value="outdoors"/></Choices>',
        {"pages": [picture(1), picture(2)]},
        "indoors",
        "indoors",
    ),
    "a nested choice": (_NESTED.format("multiple", "", _TREE), {"text": "text"}, "bath", ("indoors > bath",)),
    "all in a choice": (
        _NESTED.format("multiple", "", _TREE),
        {"text": "text"},
        "indoors",
        ("indoors", "indoors > kitchen", "indoors > bath"),
    ),
    "a single nested choice": (_NESTED.format("single", "", _TREE), {"text": "text"}, "kitchen", "indoors > kitchen"),
    "a single choice with others": (_NESTED.format("single", "", _TREE), {"text": "text"}, "indoors", "indoors"),
}
"""What is answered → tags, a task, what is clicked, and the label that it is."""


@pytest.mark.parametrize("name", representing(_CLICKED, set(_CLICKED) - {"a choice about images", "all in a choice"}))
def test_what_is_clicked_in_the_editor_is_the_label_that_is_read(
    name: str, label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    tags, data, clicked, label = _CLICKED[name]
    config = parse_label_config(f"<View>{tags}</View>")
    project = owner.create_project(name, config.schema.source)
    (task,) = owner.import_tasks(project, [data])
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
    try:
        page.get_by_text(clicked).first.click()
        page.get_by_role("button", name="Submit").first.click()
        wait_for(lambda: owner.tasks(project)[0]["is_labeled"])
    finally:
        page.screenshot(path=SCREENSHOTS / f"{name.replace(' ', '-')}.png")
        page.close()
    (annotation,) = owner.tasks(project)[0]["annotations"]
    read = read_labels(annotation["result"], config, data)["it"]
    assert config.controls["it"].target.read(read) == label


def test_a_taxonomy_of_each_task_is_shown_and_the_same_when_it_is_submitted(
    label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    config = parse_label_config(KINDS["taxonomy of each task"].config.replace('"label"', '"it"'))
    data: dict[str, object] = {"text": "text", "places": _TREE_OF_TASK}
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", ("indoors > bath",), 0.9),), 0.1, 0.1)
    project = owner.create_project("taxonomy of each task", config.schema.source)
    (task,) = owner.import_tasks(project, [data])
    owner.import_result(project, task, "1", write_result(prediction, config, data))
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
    try:
        expect(page.get_by_text("bath").first).to_be_visible()
        page.get_by_role("button", name="Submit").first.click()
        wait_for(lambda: owner.tasks(project)[0]["is_labeled"])
    finally:
        page.screenshot(path=SCREENSHOTS / "taxonomy-of-each-task.png")
        page.close()
    (annotation,) = owner.tasks(project)[0]["annotations"]
    assert read_labels(annotation["result"], config, data) == {"it": ("indoors > bath",)}


_HELD = {
    "text": "plain",
    "ticket": 4711,
    "data": {"text": "inside"},
    "items": [{"text": "first"}],
    "my-text": "hyphen",
    "a.b": "dot",
    "标题": "title",
}
_SHOWN = {
    "$text": "plain",
    "$ticket: $text": "4711: plain",
    "See $text.": "See plain",
    "$data.text": "inside",
    "$items[0].text": "first",
    "$items[7].text, $text": "undefined, plain",
    "$a.b": "dot",
    "$text for labeling": "plain for labeling",
    "$my-text": "undefined-text",
    "$text标题": "plain标题",
    "$标题": "$标题",
    "$body": "",
    "${text}": "",
}
"""What may stand as the `value` of a tag → what Label Studio's editor makes of it for the task."""


def test_fields_are_read_as_the_editor_shows_them(
    label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    tags = "".join(f'<Text name="t{n}" value="{value}"/>' for n, value in enumerate(_SHOWN))
    project = owner.create_project("names of fields", single_choice(("a", "b")))
    (task,) = owner.import_tasks(project, [{"data": _HELD}])
    config = f'<View>{tags}<Choices name="c" toName="t0"><Choice value="a"/><Choice value="b"/></Choices></View>'
    owner.change_project(project, label_config=config)
    page = browser.new_page()
    page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
    try:
        for n, (value, shown) in enumerate(_SHOWN.items()):
            expect(page.locator("[class*=richtext__container]").nth(n)).to_have_text(shown)
            assert _as_read(value) == shown.replace("undefined", "")
    finally:
        page.screenshot(path=SCREENSHOTS / "fields.png")
        page.close()


def _as_read(value: str) -> str:
    """The `value` with what nextlabel reads in place of each field."""
    for one in parse_label_config(f'<View><Text name="t" value="{value}"/></View>').schema.shown:
        held = read_field(_HELD, one.field)
        value = re.sub(rf"\${re.escape(one.field)}\.?", "" if held is None else str(held), value)
    return value


_ASKED = """<View><Text name="text" value="$text"/>
  <Choices name="a" toName="text"><Choice value="a x"/><Choice value="a y" alias="Y"/></Choices>
  <Taxonomy name="t" toName="text"><Choice value="p"><Choice value="q"/></Choice><Choice value="r"/></Taxonomy>
  <View visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="a x">{b}
    <View visibleWhen="choice-unselected" whenTagName="b" whenChoiceValue="b 2">{c}</View></View>
  <View visibleWhen="choice-selected" whenTagName="b">{d}</View>
  <View visibleWhen="choice-unselected" whenTagName="b">{e}</View>
  <View visibleWhen="choice-selected" whenTagName="a" whenChoiceValue="z,a y">{f}</View>
  <View whenChoiceValue="Y">{g}</View>
  <View visibleWhen="no-region-selected">{h}</View>
  <View visibleWhen="choice-selected" whenTagName="t" whenChoiceValue="q">{i}</View>
  <View visibleWhen="choice-selected">{j}</View>
  <View visibleWhen="choice-selected" whenTagName="g" whenChoiceValue="g 1">{k}</View></View>"""


@pytest.mark.parametrize("answers", [{"a": "a x"}, {"a": "Y", "t": ("p > q",)}], ids=str)
def test_what_is_answered_is_what_the_editor_asks(
    answers: dict[str, Label], label_studio: LabelStudioServer, owner: LabelStudioPerson, browser: BrowserContext
) -> None:
    names = "bcdefghijk"
    inside = '<Choices name="{0}" toName="text"><Choice value="{0} 1"/><Choice value="{0} 2"/></Choices>'
    config = _ASKED.format(**{name: inside.format(name) for name in names})
    labels: dict[str, Label] = {**{name: f"{name} 1" for name in names}, **answers}
    guesses = tuple(Guess(name, label, 0.9) for name, label in labels.items())
    result = write_result(Prediction(TaskId("1"), QueueVersion("1"), guesses, 0.1, 0.1), parse_label_config(config))
    project = owner.create_project("what is asked", config)
    (task,) = owner.import_tasks(project, [{"text": "a text"}])
    owner.submit_result(task, result)
    page = browser.new_page()
    try:
        page.goto(f"{label_studio.url}/projects/{project}/data?task={task}")
        answered = {one["from_name"] for one in result}
        for name in sorted(names, key=lambda name: name not in answered):  # first what is shown, for it comes late
            expect(page.get_by_text(f"{name} 1").first).to_be_visible(visible=name in answered)
    finally:
        page.screenshot(path=SCREENSHOTS / "asked.png")
        page.close()
