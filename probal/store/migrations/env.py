"""Run by alembic, online only: the connection comes from `upgrade.alembic_config`."""

from alembic import context

from probal.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters a table by copying it
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
