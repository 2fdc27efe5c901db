"""The founding tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _project() -> sa.Column[str]:
    return sa.Column("project", sa.String(64), primary_key=True)


def upgrade() -> None:
    _tool()
    _labels()
    _what_is_made()


def _tool() -> None:
    op.create_table(
        "installation", sa.Column("name", sa.String(64), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "connections",
        _project(),
        sa.Column("connector", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
    )
    op.create_table(
        "counters",
        _project(),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("model", sa.Integer, nullable=False),
    )


def _labels() -> None:
    op.create_table("cursors", _project(), sa.Column("cursor", sa.Text, nullable=False))
    op.create_table(
        "tasks",
        _project(),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "annotations",
        _project(),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.String(40), nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
    )
    op.create_index("annotations_by_task", "annotations", ["project", "task"])


def _what_is_made() -> None:
    op.create_table(
        "models",
        _project(),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("labels_digest", sa.String(64), nullable=False),
        sa.Column("schema_digest", sa.String(64), nullable=False),
        sa.Column("trained_on", sa.JSON, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("queue_version", sa.String(80), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("models_in_order", "models", ["project", "number"])
    op.create_table(
        "queues",
        _project(),
        sa.Column("version", sa.String(80), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("window", sa.JSON, nullable=False),
        sa.Column("pool", sa.Integer, nullable=False),
        sa.Column("announced", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
    )
    op.create_index("rounds_by_project", "rounds", ["project", "id"])
