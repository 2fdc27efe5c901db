"""Labeled tasks that a tool was asked to serve once more, and how it had them before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("before", sa.JSON, nullable=False),
    )
