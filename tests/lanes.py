"""How pytest-xdist shares the tests out: known only where it is loaded."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_LABEL_STUDIO, _ANOTHER = "Label Studio", "another Label Studio"
# Tests of one tool run in one process, one after the other, so that it is started once. Label Studio's take longest and
# have two.
_TOOLS = {
    "tests/contract/test_doccano": "doccano",
    "tests/contract/test_fiftyone": "FiftyOne",
    "tests/e2e/test_fiftyone": "FiftyOne",
    "tests/contract/test_label_studio": _ANOTHER,
    "tests/e2e/test_s": _ANOTHER,
    "tests/e2e/test_t": _ANOTHER,
    "tests/e2e/test_w": _ANOTHER,
    "tests/e2e/": _LABEL_STUDIO,
}


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """What needs Label Studio begins at once, in two processes, beside which a third works off the rest, each tool in
    one of them: tests of Label Studio wait much, and leave a processor to others meanwhile.

    pytest-xdist's own groups (3.8) have no effect under pytest 9.2.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        for lane in (_ANOTHER, _LABEL_STUDIO):
            if lane in self.workqueue:
                self.workqueue.move_to_end(lane, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        for start, tool in _TOOLS.items():
            if nodeid.startswith(start):
                return tool
        return nodeid.partition("::")[0] if nodeid.startswith("tests/unit/") else nodeid
