"""Which annotations a person marked as the truth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("annotations", sa.Column("ground_truth", sa.Boolean, nullable=False, server_default=sa.false()))
