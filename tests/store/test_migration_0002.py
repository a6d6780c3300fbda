"""A workspace made before classes could change opens with all it had."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, text

from probal.classes import ClassEditor
from probal.store import Store
from probal.store.migrations.upgrade import alembic_config

ROWS = """
INSERT INTO project VALUES (1, 'old', '{"image_root": "/photos"}', '2026-01-01 00:00:00');
INSERT INTO class (id, project_id, name, prompt, key, position, archived) VALUES
  (1, 1, 'cat', NULL, '1', 0, 0), (2, 1, 'dog', 'a dog', '2', 1, 0), (3, 1, 'cow', NULL, NULL, 2, 1);
INSERT INTO image VALUES (1, 1, 'a.png', 'aa', 8, 8, 9, 1, 'ok', 'pool', NULL);
INSERT INTO annotator VALUES (1, 1, 'ann', 'annotator', '2026-01-01 00:00:00');
INSERT INTO annotation (id, project_id, event_id, kind, annotator_id, seq, image_id, class_id, created_at)
  VALUES (1, 1, 'e1', 'label', 1, 0, 1, 1, '2026-01-01 00:00:00');
INSERT INTO lease (image_id, project_id, token, annotator_id, client, issued_row, issued_at, place, expires_at)
  VALUES (1, 1, 't', 1, 'w', 0, '2026-01-01 00:00:00', 0, '2026-01-01 00:10:00')
"""


def test_classes_labels_and_leases_of_an_old_workspace_stay(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        for statement in ROWS.split(";"):
            connection.execute(text(statement))
    engine.dispose()
    with Store.open(path) as store:
        project = store.project("old")
        cat, dog, cow = store.classes(project.id, archived=True)
        assert (cat.name, cat.key, cat.color, cat.merged_into, cat.reopened_row) == (
            "cat",
            "1",
            None,
            None,
            None,
        )
        assert (dog.prompt, cow.archived) == ("a dog", True)
        assert {label.image_id: label.class_id for label in store.current_labels(project.id)} == {1: cat.id}
        ClassEditor(store, project).add("ox")
        ClassEditor(store, project).merge("cat", "dog")
        assert {label.image_id: label.class_id for label in store.current_labels(project.id)} == {1: dog.id}
