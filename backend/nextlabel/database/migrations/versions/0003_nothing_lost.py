"""Nothing lost: what cannot be read is kept by name."""

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
