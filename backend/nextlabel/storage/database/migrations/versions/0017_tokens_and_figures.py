"""Tokens for the API and the metrics; and indexes by which the figures of all projects are counted quickly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("tokens_by_sha256", "tokens", ["sha256"], unique=True)
    op.create_index("tasks_by_closed", "tasks", ["project", "closed", "id"])
    op.create_index("annotations_by_skipped", "annotations", ["skipped", "project", "task", "given_by"])
    op.create_index("annotations_by_person", "annotations", ["project", "given_by", "updated_at"])
    op.create_index("models_by_state", "models", ["state", "project"])
