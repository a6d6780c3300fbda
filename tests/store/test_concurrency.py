"""Web threads, a second web process and a worker at once: nothing is locked, lost, doubled or shared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from probal.store import Store
from tests.store.store_world import World

# each process runs `threads` annotators, who lease and label until the pool is used up, and send all twice
LABELER = """
import sys, threading, uuid
from datetime import UTC, datetime
from probal.store import Store
from probal.types import Event, EventKind

path, process, threads, project, class_id = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
store = Store.open(path)
answered, problems = [], []

def label(name):
    try:
        while items := store.lease(project, name, "window", 4, datetime.now(UTC)):
            events = [
                Event(str(uuid.uuid4()), EventKind.LABEL, name, 0, item.image_id, class_id, item.lease)
                for item in items
            ]
            for attempt in range(2):
                result = store.record(project, events, True)
                assert result.rejected == (), result
                assert result.accepted == tuple(event.event_id for event in events)
            answered.extend(event.event_id for event in events)
    except BaseException as problem:
        problems.append(repr(problem))

annotators = [threading.Thread(target=label, args=(f"{process}-{i}",)) for i in range(threads)]
[thread.start() for thread in annotators]
[thread.join() for thread in annotators]
print(*answered)
sys.exit("; ".join(problems) or 0)
"""

# the worker measures, proposes and reports all the while
WORKER = """
import sys
from probal.store import Store
from probal.types import JobKind, Metric, NewProposal, Reason

path, project = sys.argv[1], int(sys.argv[2])
store = Store.open(path)
why = Reason("auto", "random", 0.0, 0.0, 0.0, 0.0)
job = store.enqueue(project, JobKind.REFIT)
assert store.claim("worker").id == job.id
for step in range(30):
    labels = store.labels_spent(project)
    store.add_metrics(project, [Metric("accuracy", 0.5, None, None, labels, labels, step)])
    store.progress(job.id, step, 30, "measuring")
    store.add_round(
        project, strategy="auto", seed=step, config={}, encoder_fingerprint="", adapter_fingerprint="",
        event_watermark=store.watermark(project), candidate_hash="", pending_ids=[], n_labels=labels,
        n_train=labels, threads=1, versions={}, timings={},
        proposals=[NewProposal(image.id, (), why) for image in store.images(project)[step::30]],
    )
store.finish(job.id)
"""


def test_labelers_and_a_worker_get_along(tmp_path: Path):
    path = tmp_path / "probal.sqlite"
    with Store.open(path) as store:
        world = World(store, pool=120, audit=12, test=0)
        world.propose(world.pool)

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(path), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    labelers = [start(LABELER, name, 4, world.id, world.classes[0]) for name in ("a", "b")]
    worker = start(WORKER, world.id)
    outputs = [process.communicate(timeout=120) for process in [*labelers, worker]]
    assert [error for _, error in outputs] == ["", "", ""]

    sent = [event_id for output, _ in outputs for event_id in output.split()]
    with Store.open(path) as store:
        events = [stored.event for stored in store.events(world.id)]
        assert sorted(event.event_id for event in events) == sorted(sent)
        # every image was labeled, once, by one person
        assert sorted(event.image_id or 0 for event in events) == sorted([*world.pool, *world.audit])
        assert len({event.annotator for event in events}) > 1
        assert len(store.rounds(world.id)) == 31
        assert len(store.metrics(world.id)) == 30
        assert [store.batch(made.id)[1] for made in store.rounds(world.id)] == [0] * 31
