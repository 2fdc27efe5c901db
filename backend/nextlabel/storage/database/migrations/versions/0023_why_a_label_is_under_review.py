"""For which reason a labeled task is served once more, and how many people had labeled it until then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("reviews", sa.Column("reason", sa.String(16), nullable=False, server_default="suspected"))
    op.add_column("reviews", sa.Column("people", sa.Integer, nullable=False, server_default="0"))
