"""The whole loop on a real FiftyOne: an order in the saved view, labels read back, a model, the next order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from nextlabel.features import image
from nextlabel.labeling import ProjectId, ToolProjectId
from nextlabel.testing.installation import Nextlabel
from nextlabel.testing.waiting import wait_for
from nextlabel_connectors.fiftyone import CONNECTOR
from nextlabel_connectors.fiftyone.testing import FiftyOneServer

_NAME, _POOL, _ROUND, _LABELS = "digits of the loop", 600, 25, 100


@pytest.mark.everything
def test_labels_in_the_served_order_teach_more_than_as_many_at_random(
    nextlabel: Nextlabel, fiftyone: FiftyOneServer, tmp_path: Path
) -> None:
    data: Any = load_digits()
    place = _drawn(fiftyone, tmp_path, data.images)
    features = np.array([_features(tmp_path / f"{n}.png") for n in range(len(data.images))])
    access = ("--url", fiftyone.access.url, "--token", fiftyone.access.token)
    done = nextlabel.command("connect", *access, "--project", f"fiftyone:{_NAME}", "--json")
    assert done.returncode == 0, done.stderr
    project = ProjectId(json.loads(done.stdout)["project"])
    connector = CONNECTOR.open(fiftyone.access, ToolProjectId(_NAME))
    labeled: list[int] = []
    while len(labeled) < _LABELS:
        for sample, _ in fiftyone.people("open_view", project=_NAME, n=_ROUND, field="digit"):
            asked = {"field": "digit", "document": "Classification", "value": str(data.target[place[sample]])}
            fiftyone.people("give", project=_NAME, sample=sample, **asked)
            labeled.append(place[sample])
        wait_for(_learned(nextlabel, project, len(labeled)), every=1.0)
        assert connector.queue_in_force() == nextlabel.parts().orders.announced(project)[0].version

    def accuracy(chosen: Sequence[int]) -> float:
        """On pictures that nobody could label, of a model that had no say in the order."""
        model = LogisticRegression(C=10, max_iter=500).fit(features[chosen], data.target[chosen])
        return float(model.score(features[_POOL:], data.target[_POOL:]))

    at_random = [
        accuracy(np.random.default_rng(seed).choice(_POOL, _LABELS, replace=False).tolist()) for seed in range(20)
    ]
    assert accuracy(labeled) > np.mean(at_random), (accuracy(labeled), np.mean(at_random), np.std(at_random))


def _drawn(fiftyone: FiftyOneServer, folder: Path, images: Sequence[Any]) -> dict[str, int]:
    """All pictures, and a dataset of the first of them; the place of each sample among them."""
    for n, pixels in enumerate(images):
        Image.fromarray((255 - pixels * 15).astype(np.uint8)).resize((64, 64)).save(folder / f"{n}.png")
    asked = {"label": "digit", "document": "Classification", "classes": list("0123456789"), "texts": []}
    fiftyone.people("create", project=_NAME, **asked)
    samples = [{"filepath": str(folder / f"{n}.png")} for n in range(_POOL)]
    return {sample: n for n, sample in enumerate(fiftyone.people("add", project=_NAME, samples=samples))}


def _features(path: Path) -> Any:
    pixels = image.decode(path.read_bytes())
    assert pixels is not None
    return image.describe(pixels)


def _learned(nextlabel: Nextlabel, project: ProjectId, labels: int) -> Callable[[], bool]:
    """Whether the queue in force was made by a model trained on exactly so many labels."""

    def check() -> bool:
        serving = nextlabel.parts().models.in_service(project)
        queues = nextlabel.parts().orders.announced(project)
        return serving is not None and serving.labels == labels and queues[0].model == serving.version

    return check
