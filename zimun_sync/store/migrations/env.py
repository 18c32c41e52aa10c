"""Alembic's entry: migrate on the connection that `zimun_sync.store.opening` hands over."""

from alembic import context

from zimun_sync.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite can roll DDL back; a migration killed half-way must leave the old schema.
    transactional_ddl=True,
)
context.run_migrations()
