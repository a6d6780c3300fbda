"""Alembic revisions, packaged with ProbAL and run when a workspace is opened.

The list stands here so that opening an up-to-date workspace need not import alembic; a test compares it
with the files in `versions/`. To add one: change `schema.py`, call `alembic.command.revision` with
`upgrade.alembic_config(connection)` and `autogenerate=True` on a workspace's database, and name it here.
"""

REVISIONS = ("0001", "0002")
HEAD = REVISIONS[-1]
