"""Which strategy orders the open tasks: the one that was chosen, or another where it must wait or fails."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nextlabel.errors import NextlabelError
from nextlabel.labeling.ranking import Floats, Ranking
from nextlabel.learning.workbench import Candidates
from nextlabel.options import ProjectOptions
from nextlabel.ports.strategy import QueryStrategy

log = logging.getLogger("nextlabel.strategies")

DEFAULT = ProjectOptions().strategy
_LONGEST = 300  # of what a strategy has to say for itself
_FAILURES = (Exception, SystemExit)
"""What a strategy may raise without harm: it may be anybody's code. A MemoryError is among them, for the default order
needs far less; what ends the process from outside, such as KeyboardInterrupt, is not."""


@dataclass(slots=True)
class Choosing:
    """The strategy that a project has chosen, by name, asked about some candidates.

    ``failure`` is why the default order took its place, as a sentence for a person; "" where it did not.
    """

    name: str
    make: Callable[[str], QueryStrategy]
    candidates: Candidates
    failure: str = ""
    _chosen: QueryStrategy | None = None

    def window(self, size: int, *, cold: bool) -> Ranking:
        """The first ``size`` tasks; as long as the model is ``cold``, those that represent the others.

        What the default order raises is raised.
        """
        try:
            self._chosen = self.make(self.name)
            if not cold:
                return self.candidates.ranked(self._chosen, size)
        except _FAILURES as error:
            self._note(error)
        return self.candidates.ranked(self.make("diverse" if cold else DEFAULT), size)

    def utilities(self, rows: Sequence[int]) -> Floats:
        """Of these tasks one by one; by the margin where the strategy does not tell."""
        try:
            return self.candidates.utilities(self._chosen, rows)
        except _FAILURES as error:
            self._note(error)
            return self.candidates.utilities(None, rows)

    def _note(self, error: BaseException) -> None:
        self._chosen = None
        known = isinstance(error, NextlabelError)
        log.debug("the strategy '%s' failed: %s", self.name, error, exc_info=error)  # the worker logs `failure` once
        reason = str(error) if known else f"The strategy '{self.name}' failed: {_raised(error)}."
        self.failure = (
            f"{reason[:_LONGEST]} Tasks come in the order of '{DEFAULT}' meanwhile; it is tried again after the next "
            "label. To choose another: `nextlabel connect --option strategy=NAME`."
        )


def _raised(error: BaseException) -> str:
    """What was raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}"[: _LONGEST - 100] + where
