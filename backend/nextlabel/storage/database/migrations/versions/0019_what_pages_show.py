"""What pages show without computing it again: how much there is of a project, how far people agree, why tasks stand
where they do; of rounds how long labels waited, and the kind of error. An index finds the latest annotations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "counted",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=True),
    )
    op.create_table(
        "order_facts",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(80), primary_key=True),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "agreements",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("figures", sa.JSON, nullable=False),
    )
    op.add_column("rounds", sa.Column("waited", sa.Float, nullable=True))
    op.add_column("rounds", sa.Column("kind", sa.String(64), nullable=False, server_default=""))
    op.create_index("annotations_by_time", "annotations", ["project", "updated_at"])
