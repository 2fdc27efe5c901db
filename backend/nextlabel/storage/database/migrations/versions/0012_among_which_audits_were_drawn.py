"""Among which tasks the audit tasks were last drawn: while these are the same, none need be drawn again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("reserves", sa.Column("among", sa.String(64), nullable=False, server_default=""))
    op.add_column("reserves", sa.Column("last", sa.String(64), nullable=False, server_default=""))
