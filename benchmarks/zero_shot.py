"""Zero-shot accuracy of an encoder on folders with one subfolder per class.

    python benchmarks/zero_shot.py DIR/images/clothing/{train,validation,test} [--encoder embedded]

Folder names are the class names; images are centred by their own folder's mean where the encoder asks for it. The
interval is Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from probal.evaluation import accuracy_interval
from probal.session.space import unit_rows
from probal.simulate import load_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--encoder", default="embedded")
    arguments = parser.parse_args()
    table = Table("folder", "images", "zero-shot", "95 % interval", "per class", title=arguments.encoder)
    for folder in arguments.folders:
        source = load_source(folder, arguments.encoder, None, None, lambda done, total, what: None)
        centre = source.x.mean(0) if source.centred else None
        assert source.text_x is not None
        right = (unit_rows(source.x, centre) @ unit_rows(source.text_x).T).argmax(1) == source.y
        low, high = accuracy_interval(int(right.sum()), len(right))
        classes = " ".join(
            f"{name} {right[source.y == c].mean():.2f}" for c, name in enumerate(source.classes)
        )
        table.add_row(
            folder.name, f"{len(right):,}", f"{np.mean(right):.3f}", f"{low:.3f} to {high:.3f}", classes
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
