"""What tells whether to stop labeling: the stop set, versions that were checked, models of audit labels alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "stop_sets",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("schema_digest", sa.String(64), nullable=False),
        sa.Column("tasks", sa.JSON, nullable=False),
        sa.Column("among", sa.Integer, nullable=False),
        sa.Column("standing", sa.JSON, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("labels", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("predicted", sa.LargeBinary, nullable=True),
        sa.Column("unseen", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audits_alone",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("audits", sa.Integer, primary_key=True),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("predicted", sa.LargeBinary, nullable=True),
    )
