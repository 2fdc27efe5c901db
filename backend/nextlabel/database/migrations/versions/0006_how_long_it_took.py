"""How long an annotation took, where the tool tells: what is there already is read again within a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("annotations", sa.Column("seconds", sa.Float, nullable=True))
