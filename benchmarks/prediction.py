"""How long `/predict` takes for 1, 100 and 1,000 short texts, beside label-studio-ml's server in the same minutes."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import orjson

from benchmarks import payloads, pool
from benchmarks.breakdown import breakdown
from benchmarks.figures import Figure, over_repeats, percentile
from benchmarks.mails import TWENTY, TWO, mails, topic, unseen
from benchmarks.open_loop import post_once
from benchmarks.processes import environment, nextlabel, parts_of, running, temporary_home
from nextlabel.estimators.choice import fit_choice
from nextlabel.estimators.project import Learned, ProjectModel
from nextlabel.features.encoders import TextEncoder
from nextlabel.features.spaces import TfIdf
from nextlabel.features.text import count_features
from nextlabel.features.text_cache import TextFeatureCache
from nextlabel.labeling import ProjectId, TaskId
from nextlabel.options import ProjectOptions
from nextlabel.ports.state import Credentials, ModelRecord
from nextlabel.ports.tool import ToolAccess
from nextlabel.testing import connection_to
from nextlabel.testing.servers import free_port
from nextlabel.wiring import Parts

# Tasks in one request, how often it is measured with texts never seen before, and the aim in milliseconds.
_SIZES = ((1, 60, 2.5), (100, 10, 8.0), (1000, 5, 35.0))
_WARM_UP = (*(1,) * 20, 100, 100, 100, 100, 1000)
_TRAINED_ON = 1000
_COUNTED = 8_000  # of a project that the workers have learned from
_BROKEN_DOWN = 700
_PEOPLES, _SECONDS_APART = 20, 1.3  # texts one after the other, as somebody who labels opens them
_CLASSES: dict[str, tuple[str, Sequence[str]]] = {"2 classes": ("1", TWO), "20 classes": ("2", TWENTY)}


def run() -> Iterator[Figure]:
    """Yields medians for texts never seen before, for texts that the workers have counted, and for one text now and
    then, when what other processes may have changed is read again; for 1,000 also for each step."""
    with temporary_home() as home:
        parts = parts_of(home)
        _train(parts)
        credentials = parts.connections.credentials_of("label_studio")
        parts.database.dispose()
        texts = unseen()
        counted = [pool.text(n) for n in range(1, _COUNTED + 1)]
        for project, _ in _CLASSES.values():
            TextFeatureCache(parts.settings.home / "features" / project).features(counted)
        with nextlabel("serve", home) as (ours, _), _baseline(home) as theirs:
            for classes, (project, labels) in _CLASSES.items():
                server = _Server(ours, project, labels, credentials)
                other = _Server(theirs, project, TWO, credentials) if labels is TWO else None
                yield from _measured(f"{{}}, {classes}", server, other, texts)
                yield from _measured(f"{{}} that are counted, {classes}", server, other, iter(counted))
                if other is not None:
                    some = [[text] for text in islice(texts, _PEOPLES)]
                    name = f"1 text every {_SECONDS_APART} s, {classes}"
                    yield from _beside(name, server, other, some, None, _SECONDS_APART)
        for classes, (project, labels) in _CLASSES.items():
            yield from breakdown(parts, classes, project, labels, list(islice(texts, _BROKEN_DOWN)))


class _Server:
    def __init__(self, url: str, project: str, labels: Sequence[str], credentials: Credentials) -> None:
        self.url, self.project, self.labels = f"{url}/predict", project, labels
        token = b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        post_once(f"{url}/setup", payloads.setup(project, labels), self._headers)

    def milliseconds(self, texts: Sequence[str]) -> float:
        body = payloads.predict(self.project, texts, self.labels)
        took, answer = post_once(self.url, body, self._headers)
        results = orjson.loads(answer)["results"]
        if len(results) != len(texts) or not all(one["result"] for one in results):
            raise RuntimeError(f"{self.url} did not predict all {len(texts)} texts: {answer[:300]!r}")
        return took


def _measured(what: str, ours: _Server, theirs: _Server | None, texts: Iterator[str]) -> Iterator[Figure]:
    for size in _WARM_UP:
        some = list(islice(texts, size))
        for server in filter(None, (ours, theirs)):
            server.milliseconds(some)
    for size, repeats, aim in _SIZES:
        batches = [list(islice(texts, size)) for _ in range(repeats)]
        if len(batches[-1]) < size:
            raise RuntimeError("There are not enough different texts.")
        name = what.format(f"{size:,} {'text' if size == 1 else 'texts'}")
        yield from _beside(name, ours, theirs, batches, aim)


def _beside(
    name: str,
    ours: _Server,
    theirs: _Server | None,
    batches: Sequence[Sequence[str]],
    aim: float | None,
    seconds_apart: float = 0.0,
) -> Iterator[Figure]:
    """One server after the other, so that both meet the same weather."""
    took, took_theirs = [], []
    for batch in batches:
        time.sleep(seconds_apart)
        took.append(ours.milliseconds(batch))
        if theirs is not None:
            took_theirs.append(theirs.milliseconds(batch))
    yield over_repeats("predict", name, took, "ms", aim=aim, note=f"p95 {percentile(took, 95):.1f} ms")
    if took_theirs:
        yield over_repeats("predict", f"{name}: label-studio-ml", took_theirs, "ms")
        ratios = [mine / other for mine, other in zip(took, took_theirs, strict=True)]
        yield over_repeats("predict", f"{name}: ours / theirs", ratios, "×")


def _train(parts: Parts) -> None:
    """Put a trained model of each number of classes in service, as the loop does."""
    texts = [text for text, _ in mails()[:_TRAINED_ON]]
    counts = count_features(texts)
    for name, (project, classes) in _CLASSES.items():
        labels = [label if classes is TWO else topic(text) for text, label in mails()[:_TRAINED_ON]]
        choice, _ = fit_choice(counts, labels, classes=classes, space=TfIdf.of(counts))
        model = ProjectModel({"label": Learned(TextEncoder(["text"]), choice)})
        here = ProjectId(project)
        access, shown = ToolAccess("http://127.0.0.1:9", "none"), ProjectOptions(show_predictions="always")
        parts.connections.save(connection_to(here, "label_studio", access, shown))
        fence, version = parts.fences.next(here), parts.models.next_version(here, informative=True)
        trained_on = {TaskId(str(n)): {"label": label} for n, label in enumerate(labels)}
        record = ModelRecord(version, name, name, trained_on, {})
        parts.models.save(here, record, model, fence=fence)
        parts.models.promote(here, version, fence=fence)


@contextmanager
def _baseline(home: Path) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ("--workers", "1", "--threads", "8", "--bind", f"127.0.0.1:{port}", "--no-control-socket")
    arguments = ("-m", "gunicorn", *options, "benchmarks.baseline_model:app")
    with running(arguments, environment(home), url, home / "baseline.log"):
        yield url
