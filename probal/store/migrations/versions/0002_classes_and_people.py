"""Classes that change, with a record of each change; images that are labeled more than once.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # added in place: SQLite cannot copy a table that others point to while foreign keys are enforced
    op.add_column("class", sa.Column("color", sa.String(length=7), nullable=True))
    op.add_column("class", sa.Column("merged_into", sa.Integer(), nullable=True))
    op.add_column("class", sa.Column("reopened_row", sa.Integer(), nullable=True))
    op.add_column("lease", sa.Column("again", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "class_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_class_change_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_change")),
    )
    op.create_index(op.f("ix_class_change_project_id_id"), "class_change", ["project_id", "id"], unique=False)
