"""From an estimator's stored state back to the estimator."""

from __future__ import annotations

from collections.abc import Mapping

from nextlabel.errors import ArtifactError
from nextlabel.estimators.prior import Prior
from nextlabel.estimators.text_choice import TextChoice

_KINDS: dict[object, type[Prior | TextChoice]] = {Prior.kind: Prior, TextChoice.kind: TextChoice}


def restore(state: Mapping[str, object]) -> Prior | TextChoice:
    """The estimator that `state` was taken from. Raises `ArtifactError` for a kind that this version lacks."""
    kind = _KINDS.get(state.get("kind"))
    if kind is None:
        raise ArtifactError(
            f"This model is of kind {state.get('kind')!r}, which this nextlabel does not know: "
            "it was written by a newer release. Upgrade, or let it retrain."
        )
    return kind.from_state(state)
