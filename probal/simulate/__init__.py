"""The loop with an oracle in the annotator's place: what labeling would have bought, strategy by strategy."""

from probal.simulate.hands import Hands
from probal.simulate.learner import Learner, Round
from probal.simulate.many import OwnLearner, Run, do, result_of, simulate
from probal.simulate.own import AdapterLearner
from probal.simulate.play import play
from probal.simulate.record import record_beside
from probal.simulate.source import BARE_SCALE, TEXT_SCALE, Source, load_source
from probal.simulate.task import CLEAN, Conditions, Task, split

__all__ = [
    "BARE_SCALE",
    "CLEAN",
    "TEXT_SCALE",
    "AdapterLearner",
    "Conditions",
    "Hands",
    "Learner",
    "OwnLearner",
    "Round",
    "Run",
    "Source",
    "Task",
    "do",
    "load_source",
    "play",
    "record_beside",
    "result_of",
    "simulate",
    "split",
]
