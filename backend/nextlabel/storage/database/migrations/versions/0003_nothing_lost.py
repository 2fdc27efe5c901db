"""Nothing lost: what cannot be read, what has come off in the tool, and when all of it was last read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "unreadable",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("annotation", sa.String(64), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "findings",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("cursors", sa.Column("full_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("connections", sa.Column("door_url", sa.Text, nullable=False, server_default=""))
