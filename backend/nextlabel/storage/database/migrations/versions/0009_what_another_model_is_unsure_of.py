"""How unsure another model is of tasks, whose predictions stand in the tool, and which of them were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("cursors", sa.Column("scores_mark", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "uncertainties",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("uncertainty", sa.Float, nullable=False),
    )
