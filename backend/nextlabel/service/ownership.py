"""Predictions in the tool under nextlabel's names that its database does not know: they are left alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from nextlabel.labeling import QueueVersion
from nextlabel.ports.tool import Finding

LEFT_ALONE = "left alone"
"""The topic of these findings."""

_ALIKE = re.compile(r"nextlabel-(untrained-)?\d+(\.\d+)?|nextlabel-untrained")
_NAMED = 5


def left_alone(
    held: Mapping[QueueVersion, int], ours: Collection[QueueVersion], earlier: Collection[QueueVersion]
) -> Iterator[Finding]:
    """One finding on all predictions that are not ``ours`` under names that nextlabel gives, or, ``earlier``, gave."""
    others = {version: number for version, number in held.items() if version not in ours}
    if alike := {version: n for version, n in others.items() if version in earlier or _ALIKE.fullmatch(version)}:
        named = ", ".join(f"{version} ({number})" for version, number in list(alike.items())[:_NAMED])
        more = f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else ""
        yield Finding(
            "warning",
            f"Predictions under names like nextlabel's are left alone, because its database does not know that it "
            f"wrote them: {named}{more}. They may be your team's, or of another installation. `nextlabel predictions` "
            "lists all, and removes a version that you name.",
        )
