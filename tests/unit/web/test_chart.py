"""The curve of versions: what is drawn is what the read model holds."""

from __future__ import annotations

from typing import Any

import pytest

from nextlabel.web.pages.chart import HEIGHT, WIDTH, charts


def version(number: int, labels: int, value: float, *, state: str = "retired", target: str = "kind") -> dict[str, Any]:
    found = {"value": value, "low": value - 0.1, "high": value + 0.05, "n": labels, "method": "wilson"}
    return {"version": f"nextlabel-{number}", "labels": labels, "state": state, "accuracy": {target: found}}


def test_more_labels_are_further_right_and_the_more_accurate_version_is_higher() -> None:
    worse, better = charts([version(1, 20, 0.7), version(2, 40, 0.9, state="in_service")])[0].points
    assert worse.x < better.x
    assert worse.y > better.y
    assert (worse.serves, better.serves) == (False, True)
    for one in (worse, better):
        assert 0 <= one.top < one.y < one.bottom <= HEIGHT
        assert 0 <= one.x <= WIDTH


def test_a_description_names_the_first_and_the_last_version_with_their_intervals() -> None:
    (chart,) = charts([version(1, 20, 0.7), version(2, 1, 0.8), version(3, 40, 0.9)])
    assert chart.desc == (
        "3 versions by their labels. First nextlabel-2: 80.0% (70.0% to 85.0%), trained on 1 label. "
        "Last nextlabel-3: 90.0% (80.0% to 95.0%), trained on 40 labels."
    )


def test_versions_that_were_not_measured_are_left_out_and_each_target_has_a_curve() -> None:
    unmeasured = version(1, 10, 0.5) | {"accuracy": {}}
    assert charts([unmeasured]) == []
    found = charts([unmeasured, version(2, 20, 0.7), version(3, 30, 0.6, target="tone")])
    assert [(one.target, [point.version for point in one.points]) for one in found] == [
        ("kind", ["nextlabel-2"]),
        ("tone", ["nextlabel-3"]),
    ]


@pytest.mark.parametrize("n", [1, 120, 121, 5_000])
def test_of_many_versions_some_are_drawn_and_the_newest_and_the_one_in_service_are_among_them(n: int) -> None:
    versions = [version(k, k, 0.8, state="in_service" if k == n // 2 else "retired") for k in range(1, n + 1)]
    (chart,) = charts(versions)
    assert len(chart.points) <= 121
    assert len(chart.points) + chart.omitted == n
    drawn = {one.version for one in chart.points}
    assert {f"nextlabel-{n}", f"nextlabel-{max(1, n // 2)}"} <= drawn
    assert len(chart.ticks_x) <= 7
