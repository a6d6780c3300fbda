"""The sets that benchmarks of the loop run on: what is labeled, what measures, how many labels a round and in all.

    python -m benchmarks.sets --data DIR [--sets digits stamps]

loads them, and prints what they are. Vectors that come from files (`clip_features/*.npz`) and the photos of clothes
are looked for below `--data` or `PROBAL_BENCH_DATA`; pictures of Debian's packages `openclipart-png` and
`tuxpaint-stamps-default` where these install them. Pictures are embedded with `embedded` once, and their vectors kept
in the user's cache folder. Budgets are about eight labels a class, and 200 for ten classes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.options import told
from probal.errors import UserError
from probal.simulate import BARE_SCALE, Source, load_source, split


@dataclass(frozen=True)
class BenchSet:
    """One set as it is measured everywhere."""

    name: str
    load: Callable[[Path], Source]
    """From the data folder; UserError where what it needs is not there."""
    batch_size: int
    budget: int
    looked_at: bool
    """Whether `auto` or the adapter's defaults were chosen with it in sight: then it flatters both."""


def _file(name: str, pool: str | None, measure: str | None) -> Callable[[Path], Source]:
    """Vectors of a file, by its keys; without a second key a third of them measures, by seed."""

    def load(data: Path) -> Source:
        return load_source(data / "clip_features" / f"{name}.npz", "embedded", pool, measure, _silent)

    return load


def _clothing(data: Path) -> Source:
    """Photos of clothes: the public training split to label from, the two others to measure on."""
    parts = [_pictures(data / "images" / "clothing" / part) for part in ("train", "validation", "test")]
    if len({part.classes for part in parts}) != 1:
        raise UserError(f"the splits of {data / 'images' / 'clothing'} have different classes")
    return replace(
        parts[0],
        eval_x=np.concatenate([part.x for part in parts[1:]]),
        eval_y=np.concatenate([part.y for part in parts[1:]]),
    )


def _digits(_: Path) -> Source:
    """scikit-learn's handwritten digits, their 64 pixels as the vector, no class texts."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    classes = tuple(str(c) for c in range(10))
    return Source("digits", "pixels", classes, x.astype(np.float32), y, None, None, None, BARE_SCALE, True)


def _openclipart(_: Path) -> Source:
    """Clip art by subject: Debian's openclipart-png; as unbalanced as it comes, 1 class in 30 times another."""
    found = _pictures(Path("/usr/share/openclipart/png"), "openclipart-png")
    return _large_classes(found, smallest=50, without={"unsorted", "special"})


def _stamps(_: Path) -> Source:
    """Tux Paint's stamps by subject: Debian's tuxpaint-stamps-default, photos and drawings mixed."""
    found = _pictures(Path("/usr/share/tuxpaint/stamps"), "tuxpaint-stamps-default")
    return _large_classes(found, smallest=12, without=set())


def _pictures(folder: Path, package: str | None = None) -> Source:
    if package and not folder.is_dir():
        raise UserError(f"no folder {folder}: install Debian's package {package} (apt-get install {package})")
    return load_source(folder, "embedded", None, None, _silent)


def _large_classes(source: Source, smallest: int, without: set[str]) -> Source:
    """Only classes of at least `smallest` pictures, and none of `without`."""
    count = np.bincount(source.y, minlength=len(source.classes))
    kept = [c for c, name in enumerate(source.classes) if count[c] >= smallest and name not in without]
    place = np.full(len(source.classes), -1)
    place[kept] = np.arange(len(kept))
    rows = place[source.y] >= 0
    return replace(
        source,
        classes=tuple(source.classes[c] for c in kept),
        x=source.x[rows],
        y=place[source.y[rows]],
        text_x=None if source.text_x is None else source.text_x[kept],
    )


def _silent(done: int, total: int, message: str) -> None:
    pass


_ALL = (
    BenchSet("clothing", _clothing, 10, 200, looked_at=True),
    BenchSet("caltech101", _file("caltech101_vitb32", "test", "val"), 50, 800, looked_at=True),
    BenchSet("pets", _file("oxford_pets_vitb32", "test", "val"), 20, 300, looked_at=True),
    BenchSet("dtd", _file("dtd_vitb32", "test", "val"), 25, 375, looked_at=True),
    BenchSet("food10", _file("food10_vitb32", "train", "test"), 10, 200, looked_at=True),
    BenchSet("cifar10", _file("cifar10_test500_vitb32", None, None), 10, 200, looked_at=True),
    BenchSet(
        "imagenet4", _file("imagenet_train4_vitb32_with_text", "train4", None), 100, 1000, looked_at=True
    ),
    BenchSet("digits", _digits, 10, 200, looked_at=True),
    BenchSet("openclipart", _openclipart, 10, 200, looked_at=False),
    BenchSet("stamps", _stamps, 10, 150, looked_at=False),
)
SETS = {each.name: each for each in _ALL}


def load_sets(names: Sequence[str], data: Path | None) -> list[tuple[BenchSet, Source]]:
    """These sets, their sources named as the set is; UserError where a set or the data folder is not there."""
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise UserError(f"unknown set '{unknown[0]}'; known sets: {', '.join(SETS)}")
    folder = data or os.environ.get("PROBAL_BENCH_DATA")
    if folder is None:
        raise UserError("give --data DIR or set PROBAL_BENCH_DATA")
    return [(SETS[name], replace(SETS[name].load(Path(folder)), name=name)) for name in names]


def split_by_seed(source: Source) -> Source:
    """Its pool and measuring images in one, of which each seed draws its own: on a fixed pool `auto` takes nearly the
    same labels whatever the seed, and an interval over seeds leaves out what another pool would have brought."""
    if source.eval_x is None or source.eval_y is None:
        return source
    return replace(
        source,
        x=np.concatenate([source.x, source.eval_x]),
        y=np.concatenate([source.y, source.eval_y]),
        eval_x=None,
        eval_y=None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="SET")
    arguments = parser.parse_args()
    table = Table(
        "set",
        "encoder",
        "C",
        "D",
        "pool",
        "measure",
        "largest : smallest",
        "prior",
        "batch",
        "budget",
        "in sight",
    )
    for each, source in load_sets(arguments.sets, arguments.data):
        task = split(source, seed=0)
        count = np.bincount(task.pool_y, minlength=len(source.classes))
        table.add_row(
            each.name, source.encoder, str(len(source.classes)), str(task.pool_x.shape[1]), f"{len(task.pool_y):,}",
            f"{len(task.eval_y):,}", f"{count.max()} : {count.min()}", "none" if source.text_x is None else "text",
            str(each.batch_size), str(each.budget), "yes" if each.looked_at else "no",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    told(main)
