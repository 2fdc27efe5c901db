"""What the version in service predicted of an audit task before anybody labeled it; NULL where that was not kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("audit_answers", sa.Column("predicted", sa.JSON(none_as_null=True), nullable=True))
