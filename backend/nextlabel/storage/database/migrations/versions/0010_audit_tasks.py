"""Audit tasks, how right the model was about them before they were labeled, and the versions that they speak for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "reserves",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("least", sa.Integer, nullable=False),
        sa.Column("labeled_before", sa.Integer, nullable=False),
        sa.Column("blank", sa.JSON, nullable=False),
    )
    op.create_table(
        "audit_tasks",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
    )
    op.create_table(
        "audit_answers",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("correctness", sa.Float, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
    )
    for name in ("anchor", "chosen"):
        op.add_column("models", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
