"""What projects, tasks, annotations, models and orders are known by."""

from __future__ import annotations

from typing import NewType

ProjectId = NewType("ProjectId", str)
"""A labeling project of one tool, under nextlabel's own id."""
ToolProjectId = NewType("ToolProjectId", str)
"""The same project, as the tool names it: two tools may each have a project "1"."""
TaskId = NewType("TaskId", str)
AnnotationId = NewType("AnnotationId", str)
ModelVersion = NewType("ModelVersion", str)
"""A trained model's name, e.g. ``nextlabel-7``."""
QueueVersion = NewType("QueueVersion", str)
"""An order of the queue, named after the model that made it: ``nextlabel-7``, then ``nextlabel-7.2`` for a refill."""
Cursor = NewType("Cursor", str)
"""How far a connector has read; opaque to everyone but that connector."""
