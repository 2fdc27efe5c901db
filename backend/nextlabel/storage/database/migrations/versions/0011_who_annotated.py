"""Who gave an annotation, where the tool tells: what one person skipped stays in the order for the others.

Label Studio's projects are read again as a whole in the first round, other tools' within a day.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("annotations", sa.Column("given_by", sa.String(64), nullable=True))
