"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.faults.scene import Scene


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``happens`` makes it happen to a project that has learned its first labels, has more labels given meanwhile, and
    ends once nothing is in the way any more; what it returns is remarked in the table. ``alone`` are faults that every
    project on the same Label Studio would feel. After one that ``spoils`` its project the next has a new one.
    ``settings`` are nextlabel's, ``disk_mb`` is how small its disk is.
    """

    name: str
    done: str
    happens: Callable[[Scene], str | None]
    alone: bool = False
    spoils: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    disk_mb: int | None = None
