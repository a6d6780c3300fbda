"""Whatever happens to a folder: the store tells what lies there, and content keeps its identity."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from probal.store import Store
from probal.types import ImageState, ProjectConfig, ScannedImage

UNREADABLE = ""
folders = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from(["X", "Y", "Z", UNREADABLE]), max_size=5
)


def scan(folder: Mapping[str, str]) -> list[ScannedImage]:
    """As `scan_folder` tells of a folder: the first path of a content is OK, later ones are duplicates."""
    seen: set[str] = set()
    found = []
    for path, content in sorted(folder.items()):
        state = ImageState.DUPLICATE if content in seen else ImageState.OK
        state = ImageState.CORRUPT if content == UNREADABLE else state
        seen.add(content)
        found.append(ScannedImage(path, content, 8, 8, 10, 1, state))
    return found


@settings(max_examples=80)
@given(history=st.lists(folders, min_size=2, max_size=6))
def test_the_store_follows_a_folder(shared_store: Store, history: list[dict[str, str]]):
    name = f"sync-{len(shared_store.projects())}"
    project = shared_store.create_project(name, ProjectConfig(image_root="/x"), [("a", None), ("b", None)])
    original: dict[str, int] = {}
    content_of: dict[int, str] = {}
    for folder in history:
        found = scan(folder)
        report = shared_store.sync_images(project.id, found)
        rows = shared_store.images(project.id)
        present = [row for row in rows if row.state is not ImageState.MISSING]

        # the folder as it is; a file unreadable now may still be known for what it was
        assert {(row.path, row.state) for row in present} == {(item.path, item.state) for item in found}
        readable = {row.path: row.content_hash for row in present if row.state is not ImageState.CORRUPT}
        assert readable == {path: content for path, content in folder.items() if content}
        assert report.corrupt == sum(not content for content in folder.values())

        for row in rows:
            # nobody's content ever changes, but from unknown to known
            assert content_of.get(row.id, "") in ("", row.content_hash)
            content_of[row.id] = row.content_hash
            # one original per content, for ever
            if row.state is ImageState.OK:
                assert original.setdefault(row.content_hash, row.id) == row.id
        # a scan of the same folder changes nothing
        assert shared_store.sync_images(project.id, found).added == 0
        assert shared_store.images(project.id) == rows
