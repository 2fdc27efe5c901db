"""What is written of a single prediction, by a labeling config of Label Studio's."""

from __future__ import annotations

from nextlabel.labeling import Prediction, QueueVersion, TaskId
from nextlabel_connectors.label_studio.label_config import LabelConfig
from nextlabel_connectors.label_studio.payloads import NO_DATA
from nextlabel_connectors.label_studio.values import Data
from nextlabel_connectors.label_studio.writing import Writer


def as_shown(prediction: Prediction | None, config: LabelConfig) -> Prediction | None:
    return Writer(config).shown(prediction)


def write_result(prediction: Prediction | None, config: LabelConfig, data: Data = NO_DATA) -> list[dict[str, object]]:
    return Writer(config).result(prediction, data)


def write_answer(
    prediction: Prediction | None, config: LabelConfig, version: QueueVersion, data: Data = NO_DATA
) -> dict[str, object]:
    return Writer(config).answer(prediction, version, data)


def write_window_item(
    task: TaskId,
    score: float,
    prediction: Prediction | None,
    config: LabelConfig,
    version: QueueVersion,
    data: Data = NO_DATA,
) -> dict[str, object]:
    return Writer(config).window_item(task, score, prediction, version, data)
