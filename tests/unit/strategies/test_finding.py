"""A project chooses among the strategies that the installation offers: it names no code, and no sizes without end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextlabel.errors import SettingsError
from nextlabel.strategies import finding

MODULE = "planted_strategy"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that exists once the planted module was imported."""
    mark = tmp_path / "imported"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch()\ndef order(*a, **k): ...\n"
    (tmp_path / f"{MODULE}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    finding.allow(())
    yield mark
    finding.allow(())
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize("outside", ["", "explore:", "cost:balanced:explore:"])
@pytest.mark.parametrize("kind", ["modal", "function"])
def test_a_function_that_the_installation_does_not_allow_is_refused_before_any_import(
    mark: Path, outside: str, kind: str
) -> None:
    finding.allow(("team.order.shortest", f"{MODULE}.other"))
    with pytest.raises(SettingsError, match=r"is not allowed here.*NEXTLABEL_STRATEGY_FUNCTIONS"):
        finding.make(f"{outside}{kind}:{MODULE}.order")
    assert (mark.exists(), MODULE in sys.modules) == (False, False)


def test_a_function_that_the_installation_allows_is_found_inside_other_strategies_too(mark: Path) -> None:
    finding.allow((f"{MODULE}.order",))
    assert finding.make(f"explore:modal:{MODULE}.order").name == f"explore:modal:{MODULE}.order"
    assert mark.exists()


@pytest.mark.parametrize(
    "spec",
    [
        "committee:vote_entropy?members=2000000",
        "committee:vote_entropy?members=101",
        "value_of_information?labels=1000000",
        "error_reduction?candidates=1001",
        "error_reduction?sample=1000001",
        "density?beta=inf",
        "skactiveml:UncertaintySampling?n_members=99999999",
    ],
)
def test_a_number_in_a_strategy_has_a_bound(spec: str) -> None:
    with pytest.raises(SettingsError, match=r"must be (\d|,)+ at most"):
        finding.make(spec)


def test_strategies_inside_strategies_come_to_an_end() -> None:
    with pytest.raises(SettingsError, match="longer than 300 characters"):
        finding.make("explore:" * 100_000 + "margin")
