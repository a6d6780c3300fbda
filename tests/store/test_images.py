from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from probal.errors import UserError
from probal.store import Store
from probal.types import ImageState, ProjectConfig, Role, ScannedImage, SyncReport
from tests.store.store_world import World, scanned


@pytest.fixture
def empty(store: Store) -> int:
    project = store.create_project("p", ProjectConfig(image_root="/pool"), [("a", None), ("b", None)])
    return project.id


def by_path(store: Store, project_id: int) -> dict[str, tuple[int, ImageState]]:
    return {
        image.path: (image.id, image.state)
        for image in store.images(project_id)
        if image.state is not ImageState.MISSING
    }


def test_a_scan_comes_back_as_stored(store: Store, empty: int):
    files = [
        scanned("a.png", "A"),
        scanned("b.png", "A", ImageState.DUPLICATE),
        scanned("c.png", "C", ImageState.CORRUPT),
        scanned("d.png", "", ImageState.CORRUPT),
    ]
    assert store.sync_images(empty, files) == SyncReport(added=4, duplicates=1, corrupt=2)
    assert store.scanned(empty) == {file.path: file for file in files}
    assert store.sync_images(empty, files) == SyncReport(duplicates=1, corrupt=2)
    counts = store.image_counts(empty)
    assert counts == {
        (Role.POOL, ImageState.OK): 1,
        (Role.POOL, ImageState.DUPLICATE): 1,
        (Role.POOL, ImageState.CORRUPT): 2,
    }
    assert [image.path for image in store.images(empty, state=ImageState.CORRUPT)] == ["c.png", "d.png"]


def test_a_renamed_file_keeps_id_labels_and_role(world: World, store: Store):
    labeled, audit = world.pool[0], world.audit[0]
    world.accept(world.label(labeled, at=1))
    files = list(store.scanned(world.id).values())
    moved = [replace(file, path=f"moved/{file.path}") for file in files]
    assert store.sync_images(world.id, moved).renamed == len(files)
    assert store.image(world.id, labeled).path.startswith("moved/")
    assert store.image(world.id, audit).role is Role.AUDIT
    assert world.labels() == {labeled: world.classes[1]}


def test_two_files_that_swap_names_stay_who_they_are(store: Store, empty: int):
    store.sync_images(empty, [scanned("a.png", "A"), scanned("b.png", "B")])
    before = by_path(store, empty)
    assert store.sync_images(empty, [scanned("a.png", "B"), scanned("b.png", "A")]).renamed == 2
    after = by_path(store, empty)
    assert (after["a.png"], after["b.png"]) == (before["b.png"], before["a.png"])


def test_other_content_at_a_path_is_another_image(world: World, store: Store):
    image = store.image(world.id, world.pool[0])
    world.accept(world.label(image.id))
    files = [
        replace(file, content_hash="other") if file.path == image.path else file
        for file in store.scanned(world.id).values()
    ]
    report = store.sync_images(world.id, files)
    assert (report.changed, report.added, report.missing) == (1, 0, 1)
    assert store.image(world.id, image.id).state is ImageState.MISSING
    new_id, state = by_path(store, world.id)[image.path]
    assert (new_id != image.id, state) == (True, ImageState.OK)
    assert world.labels() == {image.id: world.classes[0]}


def test_a_file_that_comes_back_is_the_image_it_was(world: World, store: Store):
    files = list(store.scanned(world.id).values())
    gone = store.image(world.id, world.audit[0])
    left = [file for file in files if file.path != gone.path]
    assert store.sync_images(world.id, left).missing == 1
    assert store.image(world.id, gone.id).state is ImageState.MISSING
    assert store.sync_images(world.id, left).missing == 0
    assert store.sync_images(world.id, files).returned == 1
    assert store.image(world.id, gone.id) == gone


def test_when_the_first_copy_is_deleted_the_second_takes_its_place(store: Store, empty: int):
    store.sync_images(empty, [scanned("a.png", "A"), scanned("b.png", "A", ImageState.DUPLICATE)])
    first = by_path(store, empty)["a.png"][0]
    store.sync_images(empty, [scanned("b.png", "A")])
    assert by_path(store, empty) == {"b.png": (first, ImageState.OK)}


def test_a_copy_that_sorts_before_the_first_does_not_take_its_labels(store: Store, empty: int):
    store.sync_images(empty, [scanned("m.png", "A")])
    first = by_path(store, empty)["m.png"][0]
    store.sync_images(empty, [scanned("a.png", "A"), scanned("m.png", "A", ImageState.DUPLICATE)])
    assert by_path(store, empty)["a.png"] == (first, ImageState.OK)


def test_a_file_that_cannot_be_read_for_a_while_stays_the_image_it_was(store: Store, empty: int):
    store.sync_images(empty, [scanned("a.png", "A")])
    before = by_path(store, empty)["a.png"][0]
    store.sync_images(empty, [scanned("a.png", "", ImageState.CORRUPT)])
    assert by_path(store, empty) == {"a.png": (before, ImageState.CORRUPT)}
    # so that the next scan does not take the old result for the file's
    assert store.scanned(empty)["a.png"].mtime_ns == 0
    store.sync_images(empty, [scanned("a.png", "A")])
    assert by_path(store, empty) == {"a.png": (before, ImageState.OK)}


def test_a_file_first_unreadable_keeps_its_row_once_it_can_be_read(store: Store, empty: int):
    store.sync_images(empty, [scanned("a.png", "", ImageState.CORRUPT)])
    before = by_path(store, empty)["a.png"][0]
    store.sync_images(empty, [scanned("a.png", "A")])
    assert by_path(store, empty) == {"a.png": (before, ImageState.OK)}
    assert store.image(empty, before).content_hash == "A"


def test_many_images_go_in_at_once(store: Store, empty: int):
    files = [ScannedImage(f"{i}.png", f"{i}", 8, 8, 1, 1, ImageState.OK) for i in range(5000)]
    assert store.sync_images(empty, files).added == 5000
    assert store.sync_images(empty, files[:100]).missing == 4900
    assert store.sync_images(empty, files).returned == 4900
    assert len(store.images(empty)) == 5000


def test_an_image_is_found_by_its_hash_where_a_folder_has_it(world: World, store: Store):
    image = store.image(world.id, world.pool[3])
    found = store.image_by_hash(image.content_hash)
    assert found == (Path(f"/pools/{world.project.name}"), image)
    store.sync_images(world.id, [])
    assert store.image_by_hash(image.content_hash) is None
    assert store.image_by_hash("nothing") is None


def test_unreadable_content_is_marked_with_the_reason(world: World, store: Store):
    image = store.image(world.id, world.pool[0])
    store.mark_unreadable(world.id, image.content_hash, "truncated")
    marked = store.image(world.id, image.id)
    assert (marked.state, marked.reason) == (ImageState.CORRUPT, "truncated")


def test_images_are_selected_by_role_and_belong_to_one_project(world: World, store: Store):
    other = World(store)
    assert [image.id for image in store.images(world.id, role=Role.AUDIT)] == world.audit
    store.set_role(other.id, world.pool, Role.TEST)
    assert store.image(world.id, world.pool[0]).role is Role.POOL
    with pytest.raises(UserError, match=f"no image {world.pool[0]} in this project"):
        store.image(other.id, world.pool[0])
