"""``python -m benchmarks.sharing [TEXTS]``: how much sooner a first pass of MiniLM ends when another worker helps.

The worker is a real one, of another home, as on another host. Models and sentences are fetched at the first run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.embedding_models import lay_out
from benchmarks.figures import load
from benchmarks.rated import rated
from nextlabel.embedded_redis import EmbeddedRedis
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.source import Source
from nextlabel.job_queue import RqJobQueue
from nextlabel.shards import RedisShards
from nextlabel.wiring import connect_redis

MODELS = Path(__file__).resolve().parent.parent / ".cache" / "embeddings" / "models"
ROUNDS = 2


@contextmanager
def helped(url: str, model: Path, home: Path, workers: int) -> Iterator[RedisShards]:
    """Shards that so many workers may help with."""
    environ = os.environ | {"REDIS_URL": url, "NEXTLABEL_EMBEDDINGS": str(model), "NEXTLABEL_HOME": str(home)}
    command = [sys.executable, "-m", "nextlabel", "worker-process"]
    processes = [subprocess.Popen(command, env=environ) for _ in range(workers)]
    with connect_redis(url) as client:
        jobs = RqJobQueue(client)
        try:
            while jobs.other_workers() < workers:
                time.sleep(0.1)
            yield RedisShards(client, jobs, {})
        finally:
            for process in processes:
                process.terminate()
                process.wait()


def seconds(model: Path, texts: Sequence[str], shards: RedisShards, folder: Path) -> float:
    start = time.perf_counter()
    EmbeddingEncoder.of(["text"], model, texts, Source(vectors=VectorCache(folder, shards)))
    return time.perf_counter() - start


def main() -> None:
    texts = list(dict.fromkeys(rated("movieReviewSnippets")[0]))[: int(sys.argv[1]) if len(sys.argv) > 1 else 4000]
    model = lay_out(MODELS)["minilm"]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        server = EmbeddedRedis(home)
        url = server.ensure()
        try:
            for attempt in range(ROUNDS):
                took = []
                for workers in (0, 1):
                    before = load()
                    with helped(url, model, home / "another host", workers) as shards:
                        took.append(seconds(model, texts, shards, home / f"{attempt}-{workers}"))
                    print(f"{len(texts)} texts, {workers} to help: {took[-1]:.1f} s ({before})", flush=True)
                print(f"ratio {took[0] / took[1]:.2f}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
