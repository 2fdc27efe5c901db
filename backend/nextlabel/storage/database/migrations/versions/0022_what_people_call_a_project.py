"""What people call a project in its tool."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("connections", sa.Column("title", sa.String(200), nullable=False, server_default=""))
