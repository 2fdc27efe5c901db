"""Projects have an id of our own: which tool has them, and what it calls them, is kept beside it.

Until now a project was known by its id in the tool, which goes on as its own id, so that nothing else changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    tools = op.create_table(
        "tools",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("shares_credentials", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    with op.batch_alter_table("connections") as table:
        table.add_column(sa.Column("tool", sa.String(64), nullable=False, server_default=""))
        table.add_column(sa.Column("at_tool", sa.String(255), nullable=False, server_default=""))
        table.alter_column("door_url", new_column_name="callback_url")
    _name_tools(tools)
    with op.batch_alter_table("connections") as table:
        for old in ("connector", "url", "token"):
            table.drop_column(old)
        table.alter_column("tool", server_default=None)
        table.alter_column("at_tool", server_default=None)
    op.create_index("connections_at_tool", "connections", ["tool", "at_tool"], unique=True)


def _name_tools(tools: sa.Table) -> None:
    """A tool for each way there that was in use; each goes on with the credentials that it was given."""
    connections = sa.table("connections", *map(sa.column, ("project", "connector", "url", "token", "tool", "at_tool")))
    sql, of = op.get_bind(), connections.c
    named: dict[tuple[str, ...], str] = {}
    rows = sql.execute(sa.select(of.project, of.connector, of.url, of.token).order_by(of.project)).all()
    for project, *way in rows:
        kind, url, token = way
        if (kind, url, token) not in named:
            name = next(one for one in _names(kind) if one not in named.values())
            named[kind, url, token] = name
            values = {"name": name, "kind": kind, "url": url, "token": token, "shares_credentials": True}
            sql.execute(sa.insert(tools).values(**values))
        values = {"tool": named[kind, url, token], "at_tool": project}
        sql.execute(sa.update(connections).where(of.project == project).values(**values))


def _names(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{n}" for n in count(2))
