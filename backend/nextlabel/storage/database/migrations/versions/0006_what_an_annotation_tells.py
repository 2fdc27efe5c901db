"""How long an annotation took, where the tool tells, and whether a person marked it as the truth.

What is there already is read again within a day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("annotations", sa.Column("seconds", sa.Float, nullable=True))
    op.add_column("annotations", sa.Column("ground_truth", sa.Boolean, nullable=False, server_default=sa.false()))
