"""What models predicted that had not seen the labels, the labels that are suspected by it, and tabs in tools."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("models", sa.Column("out_of_fold", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "suspects",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("task", sa.String(64), primary_key=True),
        sa.Column("annotated_at", sa.String(40), nullable=False),
        sa.Column("standing", sa.Boolean, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("self_confidence", sa.Float, nullable=False),
        sa.Column("gain", sa.Float, nullable=False),
        sa.Column("given", sa.JSON, nullable=False),
        sa.Column("instead", sa.JSON, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
    )
    op.create_table(
        "tabs",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("at_tool", sa.String(64), nullable=False),
    )
