"""How pytest-xdist shares the tests out: known only where it is loaded."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

LABEL_STUDIO = ("tests/e2e/", "tests/contract/test_label_studio.py")


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """All that needs Label Studio in one process, beside which the others work off the rest.

    pytest-xdist's own groups (3.8) have no effect under pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(LABEL_STUDIO):
            return "Label Studio"
        return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else nodeid
