"""What a person has done now, and waits for: a turn of the loop, or only its order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from nextlabel.features.work import Progress
from nextlabel.labeling import ProjectId
from nextlabel.loop.turn import ActiveLearning, Round
from nextlabel.service.turns import Turns
from nextlabel.storage.model_store import StoredModels


@dataclass(frozen=True, slots=True)
class ByHand:
    """Both wait until no worker is on the project, and raise what a turn raises, `SettingsError` for a project that is
    left alone, and `JobQueueUnavailable` where a worker is on it for ten minutes."""

    models: StoredModels
    loop: ActiveLearning
    turns: Turns

    def train(self, project: ProjectId, progress: Progress) -> Round:
        """Read what changed, learn where labels are new, judge, and have the tool serve the order. A training that
        failed with the same labels is tried again."""
        self.models.forget_failures(project)
        return self.turns.at_once(project, partial(self.loop.run, progress=progress))

    def reorder(self, project: ProjectId, progress: Progress) -> Round:
        """Have the tool serve the order of the version in service once more; nothing is learned."""
        return self.turns.at_once(project, partial(self.loop.reorder, progress=progress))
