"""A process that takes shards, as a worker does in its job, but notes what it does and waits where a test wants it to.

``python helping.py REDIS_URL MODEL NOTES``: it appends the first text of each step to ``NOTES/texts``,
waits for ``NOTES/hold`` to go before it computes, and writes into ``NOTES/done`` how many shards it did.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nextlabel.features.embedding import embedder
from nextlabel.features.work import EMBED
from nextlabel.jobs.job_queue import RqJobQueue
from nextlabel.jobs.shards import RedisShards
from nextlabel.labeling.ranking import Floats
from nextlabel.wiring import connect_redis


def main(url: str, model: str, notes: Path) -> None:
    def watched(wanted: str) -> Callable[[Sequence[str]], Floats] | None:
        embed = embedder(Path(model), wanted)

        def compute(texts: Sequence[str]) -> Floats:
            with (notes / "texts").open("a") as file:
                file.write(f"{texts[0]}\n")
            while (notes / "hold").exists():
                time.sleep(0.02)
            assert embed is not None
            return embed(texts)

        return None if embed is None else compute

    client = connect_redis(url)
    done = RedisShards(client, RqJobQueue(client), {EMBED: watched}).help()
    (notes / "writing").write_text(str(done))
    (notes / "writing").rename(notes / "done")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
