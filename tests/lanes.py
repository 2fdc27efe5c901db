"""How pytest-xdist shares the tests out: known only where it is loaded."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_LABEL_STUDIO = "Label Studio"


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """All that needs Label Studio in one process, beside which the others work off the rest.

    pytest-xdist's own groups (3.8) have no effect under pytest 9.2.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        """It takes longest, and begins at once."""
        if _LABEL_STUDIO in self.workqueue:
            self.workqueue.move_to_end(_LABEL_STUDIO, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(("tests/e2e/", "tests/contract/test_label_studio.py")):
            return _LABEL_STUDIO
        return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else nodeid
