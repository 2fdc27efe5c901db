"""Alembic's entry: runs migrations inside the transaction that `Database.migrate` has opened."""

from alembic import context

from nextlabel.storage.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
