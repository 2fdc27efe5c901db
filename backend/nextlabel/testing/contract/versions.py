"""Names of orders for the contract: nextlabel's own, and a team's."""

from __future__ import annotations

from nextlabel.labeling import QueueVersion

V1, V2, V3 = QueueVersion("nextlabel-1"), QueueVersion("nextlabel-2"), QueueVersion("nextlabel-2.2")
OTHERS = tuple(map(QueueVersion, ("1661144695", "20240315", "2023", "v0001", "bert-v1", "0002", "nextlabel-20")))
"""Versions of a team's own predictions."""
