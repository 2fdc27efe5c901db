"""Choices within choices (`allowNested`): read as Label Studio's editor writes them, learned in full, never shown."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from hypothesis import given
from hypothesis import strategies as st

from nextlabel.labeling import Guess, Prediction, QueueVersion, Target, Task, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig, parse_label_config
from nextlabel_connectors.label_studio.payloads import read_labels
from written import write_result

Tree = dict[str, "Tree"]  # choices by what they write into results, with those in each
Path = tuple[str, ...]
names = st.sampled_from(["a", "b", "ab", "a b", "<&>", "ü", '"'])
trees: st.SearchStrategy[Tree] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3), max_leaves=8
).filter(lambda tree: len(list(paths(tree))) > 1)


def paths(tree: Tree, around: Path = ()) -> Iterator[Path]:
    for name, inner in tree.items():
        yield (*around, name)
        yield from paths(inner, (*around, name))


def answered(tree: Tree, chosen: set[Path], around: Path = ()) -> list[list[str]]:
    """What the editor writes where these innermost choices are ticked: also each choice all of whose own are."""
    found: list[list[str]] = []
    for name, inner in tree.items():
        path = (*around, name)
        if all(leaf in chosen for leaf in leaves(tree, around) if leaf[: len(path)] == path):
            found.append(list(path))
        found += answered(inner, chosen, path)
    return found


def leaves(tree: Tree, around: Path = ()) -> set[Path]:
    everything = set(paths(tree, around))
    return {
        one for one in everything if not any(len(other) > len(one) and other[: len(one)] == one for other in everything)
    }


def as_tags(tree: Tree) -> str:
    return "".join(f"<Choice value={quoteattr(name)}>{as_tags(inner)}</Choice>" for name, inner in tree.items())


def as_options(tree: Tree) -> list[dict[str, object]]:
    return [{"value": name, "children": as_options(inner)} for name, inner in tree.items()]


def config(mode: str, inside: str = "", more: str = "") -> LabelConfig:
    return parse_label_config(
        f'<View><Text name="text" value="$text"/><Choices name="it" toName="text" allownested="true" choice="{mode}" '
        f"{more}>{inside}</Choices></View>"
    )


def read(found: LabelConfig, choices: list[list[str]]) -> object:
    item = {"from_name": "it", "to_name": "text", "type": "choices", "value": {"choices": choices}}
    return found.controls["it"].target.read(read_labels([item], found).get("it"))


@given(trees, st.data())
def test_any_number_of_nested_choices_are_the_paths_that_the_editor_writes(tree: Tree, data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(leaves(tree))), min_size=1))
    written = answered(tree, chosen)
    labels = {" > ".join(path) for path in written}
    assert set(read(config("multiple", as_tags(tree)), written)) == labels  # type: ignore[call-overload]
    offered = config("multiple", more='value="$options"')
    assert set(read(offered, written)) == labels  # type: ignore[call-overload]
    task = Task(TaskId("1"), {"options": as_options(tree)})
    assert list(offered.controls["it"].target.offered(task)) == [" > ".join(path) for path in paths(tree)]


@given(trees, st.data())
def test_a_single_nested_choice_is_whatever_was_clicked(tree: Tree, data: st.DataObject) -> None:
    clicked = data.draw(st.sampled_from(sorted(paths(tree))))
    ticked = {leaf for leaf in leaves(tree) if leaf[: len(clicked)] == clicked}
    label = read(config("single", as_tags(tree)), answered(tree, ticked))
    assert isinstance(label, str)
    assert f"{' > '.join(clicked)} > ".startswith(f"{label} > ")
    assert {leaf for leaf in leaves(tree) if f"{' > '.join(leaf)} > ".startswith(f"{label} > ")} == ticked


def test_two_choices_where_one_may_be_made_are_no_label() -> None:
    assert read(config("single", as_tags({"a": {"b": {}, "c": {}}, "d": {}})), [["a", "b"], ["d"]]) is None
    assert read(config("single", as_tags({"a": {}, "ab": {}})), [["a"], ["ab"]]) is None


def test_nested_choices_order_tasks_and_nothing_of_them_is_shown() -> None:
    found = config("single", as_tags({"a": {"b": {}}, "c": {}}))
    assert found.schema.targets == (
        Target("it", "choice", found.schema.shown, ("a", "a > b", "c"), pre_annotated=False, separator=" > "),
    )
    assert found.schema.held["it"].startswith(
        "by what is chosen of it, and is not pre-annotated. Label Studio's import"
    )
    prediction = Prediction(TaskId("1"), QueueVersion("1"), (Guess("it", "a > b", 0.9),), 0.1, 0.2)
    assert write_result(prediction, found) == []
