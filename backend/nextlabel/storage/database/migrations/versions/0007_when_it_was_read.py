"""When a project was last read from its tool, changes only or everything. One that is there is read within a minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("cursors", sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True))
