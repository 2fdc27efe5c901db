"""Cases that `make test` leaves out, because one that it runs fails with them; `make test-all` runs them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest


def representing(cases: Collection[str], others: set[str]) -> list[Any]:
    """All cases; `make test` leaves these others out."""
    assert others <= set(cases), f"there is no case {others - set(cases)}"
    marked = {case: pytest.param(case, marks=pytest.mark.everything) for case in others}
    return [marked.get(case, case) for case in cases]
