"""A worker as on another host, that notes what it embeds and waits, or fails, where a test wants it to.

``python helping.py REDIS_URL NOTES`` with the variables of an installation: it appends the number of the process and
the first text of each step to ``NOTES/steps``. From the step on that ``NOTES/hold`` names it waits for that file to go
before it computes, and it fails or gives rows of another width where ``NOTES/answer`` says so.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from nextlabel import wiring
from nextlabel.features.embedding import embedder
from nextlabel.features.model_folders import Embeddings
from nextlabel.jobs.shards import helping
from nextlabel.labeling.ranking import Floats
from nextlabel.worker import worker_on


def main(url: str, notes: Path) -> None:
    def noted(name: str) -> str:
        with suppress(FileNotFoundError):
            return (notes / name).read_text()
        return ""

    def watched(model: Embeddings, wanted: str) -> Callable[[Sequence[str]], Floats] | None:
        embed, begun = embedder(model, wanted), list[str]()

        def compute(texts: Sequence[str]) -> Floats:
            assert embed is not None
            with (notes / "steps").open("a") as file:
                file.write(f"{os.getpid()} {texts[0]}\n")
            begun.append(texts[0])
            while len(begun) >= int(noted("hold") or sys.maxsize):
                time.sleep(0.02)
            answer = noted("answer")
            if answer == "an error":
                raise ArithmeticError
            return embed(texts) if not answer else np.ones((len(texts), 2), dtype=np.float32)

        return None if embed is None else compute

    vars(wiring)["embedder"] = watched
    vars(helping).update(LEASE_SECONDS=2, _BEAT_SECONDS=0.5)
    worker_on(wiring.connect_redis(url)).work(logging_level="WARNING")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
