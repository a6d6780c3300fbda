import pytest

from probal.errors import UserError
from probal.explore import load_catalog
from probal.explore.actions import BY_HAND, add_to_batch, bulk_label
from probal.types import EventKind, JobKind, JobState, Project, Role
from probal.workspace import Workspace


def test_a_bulk_label_never_touches_audit_images_nor_labels_that_are_there(
    workspace: Workspace, explored: Project
) -> None:
    store = workspace.store
    first, second, _ = (each.id for each in store.classes(explored.id))
    audit = [image.id for image in store.images(explored.id, role=Role.AUDIT)]
    pool = load_catalog(workspace, explored).ids.tolist()
    assert bulk_label(store, explored, pool[:1], first, "ada").left_alone == 0
    done = bulk_label(store, explored, [*audit, *pool[:3]], second, " bob ")
    assert (len(done.event_ids), done.left_alone, done.rejected) == (2, len(audit) + 1, ())
    labels = {each.image_id: (each.class_id, each.annotator) for each in store.current_labels(explored.id)}
    assert labels == {pool[0]: (first, "ada"), pool[1]: (second, "bob"), pool[2]: (second, "bob")}
    assert len(bulk_label(store, explored, pool[:3], second, "bob", relabel=True).event_ids) == 1
    assert {each.event.kind for each in store.events(explored.id)} == {EventKind.LABEL}


def test_images_chosen_by_hand_wait_for_the_next_round(workspace: Workspace, explored: Project) -> None:
    store = workspace.store
    pool = load_catalog(workspace, explored).ids.tolist()
    bulk_label(store, explored, pool[:1], store.classes(explored.id)[0].id, "ada")
    assert add_to_batch(store, explored, pool[:3]) == 2
    assert add_to_batch(store, explored, pool[2:4]) == 3
    assert store.get_setting(explored.id, BY_HAND) == {"image_ids": pool[1:4]}
    job = store.last_job(explored.id, JobKind.REFIT)
    assert job is not None
    assert job.state is JobState.QUEUED


def test_a_batch_of_nothing_or_too_much_is_refused(workspace: Workspace, explored: Project) -> None:
    audit = [image.id for image in workspace.store.images(explored.id, role=Role.AUDIT)]
    with pytest.raises(UserError, match="none of these images"):
        add_to_batch(workspace.store, explored, audit)
    assert workspace.store.get_setting(explored.id, BY_HAND) is None
