"""Models of a team's own: annotations are kept whole where such a model reads them, and models say what made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("annotations", sa.Column("whole", sa.JSON, nullable=True))
    op.add_column("models", sa.Column("learner", sa.String(200), nullable=False, server_default=""))
