"""What a connector promises whose tool keeps tabs: ours hold what they are given, and those of people stay."""

from __future__ import annotations

from dataclasses import replace

from nextlabel.ports.tool import OwnTab
from nextlabel.testing.contract.core import WithScene
from nextlabel.testing.scene import Scene

_NEW, _TITLE = OwnTab("mark-of-one-tab"), "nextlabel: a list"


def label_all(scene: Scene) -> None:
    """The tasks of tabs are labeled ones."""
    for task in scene.tasks:
        scene.harness.submit(scene.project, task, "ham", "ann")


class TabsContract(WithScene):
    """The promises of `nextlabel.ports.tool.KeepsTabs`."""

    def test_a_tab_holds_exactly_the_tasks_that_it_was_given_last(self, scene: Scene) -> None:
        label_all(scene)
        tab = scene.tabs.show_tab(_NEW, _TITLE, scene.tasks[1:4])
        assert scene.tab_people.tabs(scene.project) == {_TITLE: frozenset(scene.tasks[1:4])}
        again = scene.tabs.show_tab(tab, _TITLE, scene.tasks[3:6])
        assert again == tab
        assert scene.tab_people.tabs(scene.project) == {_TITLE: frozenset(scene.tasks[3:6])}

    def test_a_tab_that_was_made_before_its_name_could_be_noted_is_known_by_its_mark(self, scene: Scene) -> None:
        label_all(scene)
        made = scene.tabs.show_tab(_NEW, _TITLE, scene.tasks[:2])
        assert scene.tabs.show_tab(_NEW, _TITLE, scene.tasks[:3]) == made
        assert scene.tab_people.tabs(scene.project) == {_TITLE: frozenset(scene.tasks[:3])}

    def test_removing_a_tab_leaves_those_of_people_whatever_they_are_called(self, scene: Scene) -> None:
        label_all(scene)
        scene.tab_people.make_tab(scene.project, "ours, on snow", scene.tasks[5:7])
        tab = scene.tabs.show_tab(_NEW, _TITLE, scene.tasks[:2])
        theirs = {"ours, on snow": frozenset(scene.tasks[5:7])}
        assert scene.tabs.remove_tab(tab)
        assert scene.tab_people.tabs(scene.project) == theirs
        scene.tab_people.make_tab(scene.project, _TITLE, scene.tasks[:1])
        assert not scene.tabs.remove_tab(tab)
        assert not scene.tabs.remove_tab(_NEW)
        assert scene.tab_people.tabs(scene.project) == {**theirs, _TITLE: frozenset(scene.tasks[:1])}

    def test_a_tab_that_somebody_removed_is_made_again(self, scene: Scene) -> None:
        label_all(scene)
        tab = scene.tabs.show_tab(_NEW, _TITLE, scene.tasks[:2])
        scene.tabs.remove_tab(tab)
        assert replace(scene.tabs.show_tab(tab, _TITLE, scene.tasks[:1]), at_tool="") == _NEW
        assert scene.tab_people.tabs(scene.project) == {_TITLE: frozenset(scene.tasks[:1])}
