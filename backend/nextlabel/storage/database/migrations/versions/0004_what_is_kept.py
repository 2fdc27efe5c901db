"""What is kept: how many labels a version learned stays when the labels go, and what is known of its files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_models = sa.table(
    "models",
    sa.column("project", sa.String),
    sa.column("version", sa.String),
    sa.column("number", sa.Integer),
    sa.column("state", sa.String),
    sa.column("trained_on", sa.JSON),
    sa.column("labels", sa.Integer),
    sa.column("promotion", sa.Integer),
)


def upgrade() -> None:
    op.add_column("models", sa.Column("labels", sa.Integer, nullable=False, server_default="0"))
    op.add_column("models", sa.Column("files", sa.Text, nullable=True))
    op.add_column("models", sa.Column("promotion", sa.Integer, nullable=False, server_default="0"))
    op.create_index("queues_in_order", "queues", ["project", "number"])
    _count_labels()
    _number_promotions()


def _count_labels() -> None:
    """Version by version: all labels of all versions together may be gigabytes."""
    sql, of = op.get_bind(), _models.c
    for project, version in sql.execute(sa.select(of.project, of.version)).all():
        this = (of.project == project) & (of.version == version)
        trained_on = sql.execute(sa.select(of.trained_on).where(this)).scalar_one()
        sql.execute(sa.update(_models).where(this).values(labels=len(trained_on)))


def _number_promotions() -> None:
    """Nobody has noted them so far: as if every version had served when it was new, and the one in service last."""
    of, other = _models.c, _models.alias()
    last = sa.select(sa.func.max(other.c.number)).where(other.c.project == of.project).scalar_subquery()
    op.execute(sa.update(_models).where(of.state == "retired").values(promotion=of.number))
    op.execute(sa.update(_models).where(of.state == "in_service").values(promotion=last + 1))
