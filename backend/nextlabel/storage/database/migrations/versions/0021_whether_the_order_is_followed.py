"""Whether the tool was last seen to serve the order, and which labels came from it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "queue_checks",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("queue", sa.String(80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("serves", sa.Boolean, nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column("annotations", sa.Column("from_order", sa.Boolean, nullable=True))
