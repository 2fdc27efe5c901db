"""``python -m benchmarks.sharing``: how much sooner long work ends when other workers help.

A first pass of embedding; and open tasks that a version is asked about, the tagger of spans and a team's own model. The
workers are real ones, of another home, as on another host. Models and sentences are fetched at the first run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.embedding_models import lay_out
from benchmarks.figures import load
from benchmarks.page import write_table
from benchmarks.pool import text
from benchmarks.processes import temporary_home
from benchmarks.rated import rated
from benchmarks.sentence_model import FOLDER
from nextlabel.estimators.hosted import HostedFacts, HostedProject
from nextlabel.estimators.project import Learned, Model, ProjectModel, SlowModel
from nextlabel.estimators.spans import fit_spans
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.encoders import TextEncoder
from nextlabel.features.source import Source
from nextlabel.jobs.embedded_redis import EmbeddedRedis
from nextlabel.labeling import Input, LabelSchema, ModelVersion, ProjectId, Span, Target, Task, TaskId
from nextlabel.learning.scoring import Scorer
from nextlabel.ports.state import ModelRecord
from nextlabel.ports.tool import ToolAccess
from nextlabel.settings import Settings
from nextlabel.testing import connection_to
from nextlabel.wiring import Parts, build

MODELS = Path(__file__).resolve().parent.parent / ".cache" / "embeddings" / "models"
WORKERS = (1, 2, 4)
PROJECT, VERSION = ProjectId("1"), ModelVersion("0001")
TEXTS, SPANS, HOSTED = 4_000, 40_000, 3_000
_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    '<Choice value="ham"/><Choice value="spam"/></Choices></View>'
)
_ENTITIES = Target("entities", "spans", (Input("text"),), ("names", "numbers"))


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__).parse_args()
    minilm, before = lay_out(MODELS)["minilm"], load()
    rows = []
    for name, prepare in (
        (f"embedding {TEXTS:,} sentences with MiniLM", _embedding),
        (f"the tagger of spans asked about {SPANS:,} short texts", _spans),
        (f"a team's own transformer asked about {HOSTED:,} sentences", _hosted),
    ):
        took, printed = [], []
        with temporary_home() as home, _installation(home, minilm) as (parts, environ):
            work = prepare(parts, minilm)
            for workers in WORKERS:
                with _helped(parts, environ, home, workers - 1):
                    began = time.perf_counter()
                    printed.append(work())
                    took.append(time.perf_counter() - began)
        if len(set(printed)) != 1:
            raise RuntimeError(f"{name}: not the same however many workers there are.")
        cells = [f"{took[0]:.1f} s", *(f"{one:.1f} s ({took[0] / one:.2f}×)" for one in took[1:])]
        rows.append(f"| {name} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    print(f"At the start: {before}; at the end: {load()}.")
    write_table("sharing", ["", *(f"{n} worker{'s' * (n > 1)}" for n in WORKERS)], rows)


@contextmanager
def _installation(home: Path, minilm: Path) -> Iterator[tuple[Parts, Mapping[str, str]]]:
    """This process as its worker, and what the others are started with."""
    server = EmbeddedRedis(home)
    os.environ[FOLDER] = str(minilm)
    ours = {
        "REDIS_URL": server.ensure(),
        "NEXTLABEL_EMBEDDINGS": str(minilm),
        "NEXTLABEL_MODEL": f"{Path(__file__).parent / 'sentence_model.py'}:Moods",
        "NEXTLABEL_DATABASE_URL": f"sqlite:///{home / 'nextlabel.db'}",
        "NEXTLABEL_MODELS_URL": str(home / "models"),
    }
    parts = build(Settings.from_env(ours | {"NEXTLABEL_HOME": str(home)}), ours["REDIS_URL"])
    parts.database.migrate()
    parts.connections.save(connection_to(PROJECT, "label_studio", ToolAccess("http://nowhere", "none")))
    try:
        yield parts, os.environ | ours
    finally:
        parts.database.dispose()
        server.stop()


@contextmanager
def _helped(parts: Parts, environ: Mapping[str, str], home: Path, workers: int) -> Iterator[None]:
    command = [sys.executable, "-m", "nextlabel", "worker-process"]
    environ = {**environ, "NEXTLABEL_HOME": str(home / "another host")}
    processes = [subprocess.Popen(command, env=environ) for _ in range(workers)]
    try:
        while parts.job_queue.other_workers() < workers:
            time.sleep(0.1)
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        while parts.job_queue.other_workers():
            time.sleep(0.1)


def _embedding(parts: Parts, minilm: Path) -> Callable[[], bytes]:
    texts = _sentences(TEXTS)

    def work() -> bytes:
        vectors = VectorCache(parts.settings.home / uuid4().hex, parts.shards)
        tasks = [Task(TaskId(str(n)), {"text": one}) for n, one in enumerate(texts)]
        source = Source(vectors=vectors)
        features = EmbeddingEncoder.of(["text"], minilm, texts, source).encode(tasks, source)
        return csr_matrix(features).data.tobytes()

    return work


def _spans(parts: Parts, minilm: Path) -> Callable[[], bytes]:
    tasks = [Task(TaskId(str(n)), {"text": text(n)}) for n in range(1, SPANS + 1)]
    tagger, _ = fit_spans(_ENTITIES, tasks[:200], [_marked(text(n)) for n in range(1, 201)], judged=False)
    _keep(parts, ProjectModel({_ENTITIES.name: Learned(TextEncoder(["text"]), tagger)}), "")
    return _asking(parts, _ENTITIES.name, tagger, tasks)


def _marked(printed: str) -> tuple[Span, ...]:
    found = re.finditer(r"\b(?:[A-Z][a-z]+|\d+)\b", printed)
    return tuple(Span(one.start(), one.end(), "numbers" if one[0].isdigit() else "names") for one in found)


def _hosted(parts: Parts, minilm: Path) -> Callable[[], bytes]:
    name, learner = "Moods", parts.hosts.learner(PROJECT, "Moods")
    folder = parts.hosts.new_folder(PROJECT) / "unfitted"
    schema = LabelSchema((), source=_CONFIG)
    facts = HostedFacts(name, learner, schema, learns=False)
    model = HostedProject(parts.hosts.open(PROJECT, name, schema, folder), facts, None, lambda: "score")
    _keep(parts, model, learner)
    model.start()
    tasks = [Task(TaskId(str(n)), {"text": one}) for n, one in enumerate(_sentences(HOSTED))]
    return _asking(parts, name, model, tasks)


def _keep(parts: Parts, model: Model, learner: str) -> None:
    record = ModelRecord(VERSION, "", "", {}, {}, "trained", "", learner=learner)
    parts.models.save(PROJECT, record, model, fence=parts.fences.next(PROJECT))


def _asking(parts: Parts, name: str, model: SlowModel, tasks: list[Task]) -> Callable[[], bytes]:
    def work() -> bytes:
        asked, printed = Scorer(PROJECT, VERSION, parts.shards, 3600.0, 0).target_predictions({name: model}, tasks)
        if len(asked) != len(tasks):
            raise RuntimeError(f"Only {len(asked)} of {len(tasks)} tasks were asked about.")
        return np.asarray(printed[name].uncertainty).tobytes()

    return work


def _sentences(n: int) -> list[str]:
    return list(dict.fromkeys(rated("movieReviewSnippets")[0]))[:n]


if __name__ == "__main__":
    main()
