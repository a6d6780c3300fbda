"""Predictions as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from probal.session.loop import Predictions

TOP = 3
"""Classes with a probability per image, the predicted one included."""


def prediction_table(predictions: Predictions, top: int | None = TOP) -> pd.DataFrame:
    """One row per image: path, hash, role, the likeliest classes with their probabilities, uncertainties.

    With `top` None every class has a column of its own instead of the runners-up: `p(<class>)`, each row summing
    to 1.
    """
    names = np.array(predictions.class_names)  # [C]
    probs = predictions.probabilities  # [N,C]
    order = np.argsort(-probs, axis=1, kind="stable")[:, : top or 1]  # [N,top]
    columns: dict[str, object] = {
        "path": [image.path for image in predictions.images],
        "content_hash": [image.content_hash for image in predictions.images],
        "role": [str(image.role) for image in predictions.images],
    }
    ranks = np.arange(len(order))
    for place, (class_column, p_column) in enumerate(_columns(order.shape[1])):
        columns[class_column] = names[order[:, place]]
        columns[p_column] = probs[ranks, order[:, place]]
    if top is None:
        columns |= {f"p({name})": probs[:, c] for c, name in enumerate(names)}
    columns |= {
        "entropy": predictions.total,
        "aleatoric": predictions.aleatoric,
        "epistemic": predictions.epistemic,
    }
    return pd.DataFrame(columns)


def _columns(count: int) -> list[tuple[str, str]]:
    later = [(f"top{place}", f"top{place}_probability") for place in range(2, count + 1)]
    return [("predicted", "probability"), *later]
