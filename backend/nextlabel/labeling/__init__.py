"""The words that all labeling tools share: tasks, annotations, predictions and what is to be labeled."""

from nextlabel.labeling.annotations import Annotation, labels_in_force, seconds_of
from nextlabel.labeling.ids import (
    AnnotationId,
    Cursor,
    ModelVersion,
    ProjectId,
    QueueVersion,
    TaskId,
    ToolProjectId,
)
from nextlabel.labeling.kinds import KINDS, LONGEST_LABEL, Label, Placed, Result, Span, TargetKind
from nextlabel.labeling.predictions import Guess, Prediction
from nextlabel.labeling.scales import Scale
from nextlabel.labeling.targets import OPENED, RECORDINGS, Input, InputKind, LabelSchema, Layout, Target
from nextlabel.labeling.tasks import Task, read_field
from nextlabel.labeling.wording import (
    COMMANDS,
    END,
    ISOLATE,
    counted,
    isolated,
    label_in_words,
    number_in,
    quoted,
)

__all__ = [
    "COMMANDS",
    "END",
    "ISOLATE",
    "KINDS",
    "LONGEST_LABEL",
    "OPENED",
    "RECORDINGS",
    "Annotation",
    "AnnotationId",
    "Cursor",
    "Guess",
    "Input",
    "InputKind",
    "Label",
    "LabelSchema",
    "Layout",
    "ModelVersion",
    "Placed",
    "Prediction",
    "ProjectId",
    "QueueVersion",
    "Result",
    "Scale",
    "Span",
    "Target",
    "TargetKind",
    "Task",
    "TaskId",
    "ToolProjectId",
    "counted",
    "isolated",
    "label_in_words",
    "labels_in_force",
    "number_in",
    "quoted",
    "read_field",
    "seconds_of",
]
