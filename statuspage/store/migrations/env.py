"""Alembic's entry: always on the connection that store/migrate.py hands in."""

from alembic import context

from statuspage.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
