"""Classes that change mid-project: nothing given is lost, and taking changes back is the identity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probal import labeling, support_set
from probal.classes import ClassEditor
from probal.errors import UserError
from probal.store import Store
from probal.types import EventKind, JobKind, NewProposal, Role
from tests.store.store_world import REASON, World


@pytest.fixture
def editor(world: World) -> ClassEditor:
    return ClassEditor(world.store, world.project)


def names(editor: ClassEditor) -> list[str]:
    return [each.name for each in editor.store.classes(editor.project.id)]


def test_a_merge_reads_old_labels_as_the_other_class_and_keeps_the_events(world: World, editor: ClassEditor):
    cat, dog, _ = world.classes
    world.accept(world.label(world.pool[0], at=0), world.label(world.pool[1], at=1))
    editor.merge("cat", "dog")
    assert names(editor) == ["dog", "cow"]
    assert world.labels() == {world.pool[0]: dog, world.pool[1]: dog}
    assert world.store.label_counts(world.id)[Role.POOL] == {dog: 2}
    assert [each.event.class_id for each in world.store.events(world.id)] == [cat, dog]
    given = world.store.current_labels(world.id, as_given=True)
    assert [label.class_id for label in given] == [cat, dog]
    editor.undo()
    assert world.labels() == {world.pool[0]: cat, world.pool[1]: dog}


def test_a_chain_of_merges_ends_in_the_last_class_and_comes_apart_again(world: World, editor: ClassEditor):
    cat, dog, cow = world.classes
    editor.add("ox")
    world.accept(world.label(world.pool[0], at=0))
    editor.merge("cat", "dog")
    editor.merge("dog", "cow")
    assert world.labels() == {world.pool[0]: cow}
    editor.undo()
    assert world.labels() == {world.pool[0]: dog}
    editor.undo()
    assert world.labels() == {world.pool[0]: cat}


def test_a_window_that_has_not_heard_of_the_merge_loses_no_label(world: World, editor: ClassEditor):
    editor.merge("cat", "dog")
    world.accept(world.label(world.pool[0], at=0))
    assert world.labels() == {world.pool[0]: world.classes[1]}
    editor.undo()
    editor.archive("cat")
    assert "archived" in world.refusal(world.label(world.pool[1], at=0))


def test_reopening_brings_the_images_back_to_the_queue_and_undo_the_labels(world: World, editor: ClassEditor):
    world.propose(world.pool[:4])
    world.accept(*(world.label(image, at=i % 2) for i, image in enumerate(world.pool[:4])))
    before = world.labels()
    assert world.lease(n=4) == [] or {item.image_id for item in world.lease(n=4)}.isdisjoint(world.pool[:4])
    editor.reopen("cat")
    assert world.labels() == {image: c for image, c in before.items() if c == world.classes[1]}
    open_again = {item.image_id for item in world.lease("bob", n=20)}
    assert open_again >= {world.pool[0], world.pool[2]}
    world.accept(world.label(world.pool[0], at=2))
    assert world.labels()[world.pool[0]] == world.classes[2]
    editor.undo()
    assert world.labels() == {**before, world.pool[0]: world.classes[2]}


def test_renaming_keeps_labels_and_may_keep_what_the_model_reads(world: World, editor: ClassEditor):
    world.accept(world.label(world.pool[0], at=0))
    editor.rename("cat", "kitten", keep_prompt=True)
    kitten = editor.find("kitten")
    assert (kitten.id, kitten.prompt) == (world.classes[0], "cat")
    assert world.labels() == {world.pool[0]: kitten.id}
    assert world.store.class_names_ever(world.id)["cat"] == kitten.id


def test_order_color_and_key(world: World, editor: ClassEditor):
    editor.move(["cow"])
    assert names(editor) == ["cow", "cat", "dog"]
    editor.recolor("cow", "#AABBCC")
    assert editor.find("cow").color == "#aabbcc"
    editor.key("cow", "1")
    editor.key("cat", "1")
    assert (editor.find("cow").key, editor.find("cat").key) == (None, "1")


def test_a_change_that_the_model_feels_asks_for_a_refit(world: World, editor: ClassEditor):
    editor.add("ox")
    assert world.store.last_job(world.id, JobKind.REFIT) is None  # nothing was fitted yet
    world.propose(world.pool[:2])
    editor.recolor("ox", "#000000")
    assert world.store.last_job(world.id, JobKind.REFIT) is None
    editor.archive("ox")
    assert world.store.last_job(world.id, JobKind.REFIT) is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.add("Cat"), "there already"),
        (lambda e: e.add("<b>"), "HTML"),
        (lambda e: e.rename("cat", "dog"), "there already"),
        (lambda e: e.rename("lion", "tiger"), "no class named 'lion'; there are cat, dog, cow"),
        (lambda e: e.merge("cat", "cat"), "into itself"),
        (lambda e: e.recolor("cat", "blue"), "no color"),
        (lambda e: e.key("cat", "z"), "cannot be a class's key"),
        (lambda e: e.move(["cat", "cat"]), "twice"),
        (lambda e: e.restore("cat"), "in use"),
        (lambda e: e.undo(), "no change"),
    ],
)
def test_mistakes_change_nothing(world: World, editor: ClassEditor, change, reason: str):
    before = world.store.classes(world.id, archived=True)
    with pytest.raises(UserError, match=reason):
        change(editor)
    assert world.store.classes(world.id, archived=True) == before
    assert world.store.class_changes(world.id) == []


def test_two_classes_always_stay(editor: ClassEditor):
    editor.archive("cat")
    for change in (lambda: editor.archive("dog"), lambda: editor.merge("dog", "cow")):
        with pytest.raises(UserError, match="two classes are needed"):
            change()


def test_a_split_by_hand_is_labels(world: World, editor: ClassEditor):
    world.accept(*(world.label(image) for image in world.pool[:3]))
    editor.add("ox")
    assert editor.relabel(world.pool[:2], "ox", "ann") == 2
    assert world.labels()[world.pool[1]] == editor.find("ox").id
    assert world.labels()[world.pool[2]] == world.classes[0]
    with pytest.raises(UserError, match="test set"):
        editor.relabel(world.test[:1], "ox", "ann")


NAMES = ["cat", "dog", "cow", "ox", "elk"]


def test_what_an_image_was_is_told_while_it_is_asked_for_again(world: World, editor: ClassEditor):
    a, b, c, d = world.pool[:4]
    world.accept(world.label(a, at=0), world.label(b, at=0), world.label(c, at=1), world.label(d, at=0))
    taken_back = world.label(c, at=0)
    world.accept(taken_back, world.undo(taken_back))
    assert editor.store.classes_before(world.id, world.pool) == {}
    editor.merge("cat", "dog")
    editor.reopen("dog")
    assert editor.store.classes_before(world.id, [a, c]) == {a: "cat", c: "dog"}
    editor.restore("cat")
    editor.rename("cat", "lynx")
    assert editor.store.classes_before(world.id, world.pool) == {a: "lynx", b: "lynx", c: "dog", d: "lynx"}


KINDS = ["add", "rename", "merge", "archive", "restore", "reopen", "move", "key", "prompt"]
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 5)),
    max_size=10,
)


@settings(max_examples=60)
@given(tried=steps)
def test_changes_taken_back_are_the_identity(shared_store: Store, tried: list[tuple[str, str, str, int]]):
    world = World(shared_store, pool=6, audit=0, test=0)
    editor = ClassEditor(shared_store, world.project)
    world.propose(world.pool)
    world.accept(*(world.label(image, at=i % 3) for i, image in enumerate(world.pool[:5])))
    states = []

    def state():
        # an added class stays in the archive: rounds may name it
        known = [replace(each, key=None) for each in shared_store.classes(world.id)]
        return known, world.labels(), shared_store.batch(shared_store.latest_round(world.id).id)

    for kind, one, other, n in tried:
        before = state()
        arguments = {"rename": (one, other), "merge": (one, other), "move": ([one],), "key": (one, str(n))}
        arguments["prompt"] = (one, f"a {{}} {n}")
        try:
            getattr(editor, kind)(*arguments.get(kind, (one,)))
        except UserError:
            assert state() == before
        else:
            states.append(before)
        # a label never points at a class that is merged away
        merged = {each.id for each in shared_store.classes(world.id, archived=True) if each.merged_into}
        assert merged.isdisjoint(world.labels().values())
    for before in reversed(states):
        editor.undo()
        assert state() == before
    assert all(change.undone for change in shared_store.class_changes(world.id))
    assert [each.event.kind for each in shared_store.events(world.id)] == [EventKind.LABEL] * 5


def test_what_is_handed_out_speaks_of_the_classes_of_today(world: World, editor: ClassEditor):
    cat, dog, cow = world.classes
    reason = replace(REASON, contested=((cat, 0.5), (dog, 0.3)))
    predicted = ((cat, 0.5), (dog, 0.3), (cow, 0.2))
    world.propose(world.pool[:1])
    round_ = world.store.latest_round(world.id)
    assert round_ is not None
    fields = vars(round_) | {"proposals": [NewProposal(world.pool[1], predicted, reason)]}
    unknown = {"id", "index", "created_at"}
    world.store.add_round(world.id, **{name: value for name, value in fields.items() if name not in unknown})
    editor.merge("dog", "cow")
    items = labeling.lease(world.store, world.project, "ann", "window", 2)
    (item,) = [each for each in items if each.image_id == world.pool[1]]
    assert item.predicted == ((cat, 0.5), (cow, 0.5))
    assert item.why is not None
    assert item.why.contested == ((cat, 0.5), (cow, 0.3))
    editor.undo()
    editor.add("ox")
    editor.archive("cat")
    (item, *_) = [
        e
        for e in labeling.lease(world.store, world.project, "ann", "window", 2)
        if e.image_id == world.pool[1]
    ]
    assert item.predicted == ((dog, 0.3), (cow, 0.2))


def test_an_export_speaks_of_the_classes_of_today(world: World, editor: ClassEditor):
    first = world.pool[0]
    world.accept(world.label(first, "ann", at=0), world.label(first, "bob", at=1))
    (row,) = support_set.label_rows(world.store, world.project)
    assert (row.label, row.agreement) == ("dog", 0.5)
    editor.merge("cat", "dog")
    (row,) = support_set.label_rows(world.store, world.project)
    assert (row.label, row.agreement, row.annotators) == ("dog", 1.0, 2)
    editor.add("ox")
    editor.archive("dog")
    assert support_set.label_rows(world.store, world.project) == []
    editor.undo()
    assert len(support_set.label_rows(world.store, world.project)) == 1
