"""What is ours: which predictions nextlabel wrote, what a project was like before it was connected, what is paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_connections = sa.table(
    "connections",
    sa.column("project", sa.String),
    sa.column("door_url", sa.Text),
    sa.column("addresses", sa.JSON),
)


def upgrade() -> None:
    # Orders of earlier releases have names that a team may use too: `own_name` is false for them.
    op.add_column("queues", sa.Column("own_name", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("queues", sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("connections", sa.Column("state", sa.String(16), nullable=False, server_default="active"))
    op.add_column("connections", sa.Column("before", sa.JSON, nullable=True))
    op.add_column("connections", sa.Column("addresses", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("findings", sa.Column("topic", sa.String(32), nullable=False, server_default="drift"))
    _note_addresses()


def _note_addresses() -> None:
    sql, of = op.get_bind(), _connections.c
    for project, door_url in sql.execute(sa.select(of.project, of.door_url).where(of.door_url != "")).all():
        sql.execute(sa.update(_connections).where(of.project == project).values(addresses=[door_url]))
