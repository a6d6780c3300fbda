"""A fitted adapter as plain arrays that predict without ProbAL, and the script that does it.

One closed form serves every adapter; what one lacks is an array of width zero. With a unit row x̂ [D]:

    mean_c = x̂ᵀw_c + b_c + α Σ_j exp(β (x̂ᵀkey_j − 1)) value_jc                    (the last term: Tip-Adapter)
    var_c  = v_c max(0, |u|² − |E_c u|²),  u = x̂ − middle      (BayesAdapter; E_c is what the labels explain)
    var_c  less what all classes share:  gain = max(0, Σ_r sign_r (s_rᵀu)²)
    p      = mean_k softmax(mean + √var · node_k)

The nodes are the quasi-random ones of `probal.gaussian.predictive`, so the probabilities are those of `probal
predict` to rounding, temperature included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from probal.acquisition.scores import N_SAMPLES
from probal.adapters import AdapterPosterior, LaplacePosterior
from probal.adapters.linear import PointPosterior
from probal.adapters.tip_adapter import TipPosterior
from probal.adapters.variational import VariationalPosterior, label_factors
from probal.errors import UserError
from probal.gaussian.predictive import normal_nodes

SCRIPT = '''"""Predict without ProbAL: python predict.py vectors.npy > predictions.csv (with numpy and safetensors)"""
import json, pathlib, sys
import numpy as np
from safetensors import safe_open

with safe_open(pathlib.Path(__file__).with_name("adapter.safetensors"), "numpy") as file:
    classes, t = json.loads(file.metadata()["classes"]), {name: file.get_tensor(name) for name in file.keys()}

def predict(vectors):  # the encoder's vectors [N,D] -> probabilities [N,C]
    x = vectors.astype(np.float32) - t["centre"]
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    mean = x @ t["weights"].T + t["bias"] + np.exp(t["beta"] * (x @ t["keys"].T - 1)) @ t["values"]
    away = x - t["middle"]
    var = t["prior"] * np.maximum((away**2).sum(1)[:, None] - ((away @ t["explained"]) ** 2).sum(2).T, 0)
    shared = ((away @ t["shared"]) ** 2 @ t["signs"])[:, None]
    z = mean[:, None] + np.sqrt(np.maximum(var - np.maximum(shared, 0), 0))[:, None] * t["nodes"]
    p = np.exp(z - z.max(2, keepdims=True))
    return (p / p.sum(2, keepdims=True)).mean(1)

if __name__ == "__main__":
    for row in predict(np.load(sys.argv[1])):
        print(classes[row.argmax()], *row, sep=",")
'''
"""Stands beside the weights; kept short enough to be read before it is run."""


@dataclass(frozen=True, eq=False)
class PortableAdapter:
    """The arrays of the closed form; r is the largest rank of what the labels explain, 0 for a point estimate."""

    centre: np.ndarray  # [D] subtracted before the division by the length
    weights: np.ndarray  # [C,D] the scale is in them
    bias: np.ndarray  # [C]
    middle: np.ndarray  # [D] what the variances are measured from
    explained: np.ndarray  # [C,D,r] E_cᵀ, filled up with zeros
    prior: np.ndarray  # [C] v, the variance before any label; 0 for a point estimate
    keys: np.ndarray  # [n,D] Tip-Adapter's cache, else no row
    values: np.ndarray  # [n,C] times α
    nodes: np.ndarray  # [K,C]
    shared: np.ndarray  # [D,r] s
    signs: np.ndarray  # [r] 1 or −1
    beta: np.ndarray  # [1]

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, as predict.py expects them."""
        return {name: np.ascontiguousarray(value, np.float32) for name, value in vars(self).items()}


def portable(posterior: AdapterPosterior, centre: np.ndarray | None) -> PortableAdapter:
    """The arrays of a posterior in a space with this centre [D]. UserError for an adapter without such a form."""
    if isinstance(posterior, LaplacePosterior | VariationalPosterior):
        found = {
            "weights": posterior.weights,
            "bias": posterior.bias,
            "middle": posterior.centre,
            "explained": pad_sequence(list(_explained(posterior)), batch_first=True).mT,
            "prior": posterior.temperature * posterior.amplitude * posterior.gains.square(),
        }
        if isinstance(posterior, LaplacePosterior):  # only Laplace takes it apart
            found["shared"], found["signs"] = _shared(posterior)
    elif isinstance(posterior, PointPosterior | TipPosterior):
        found = {"weights": posterior.weights}
        if isinstance(posterior, TipPosterior):
            found |= {
                "keys": posterior.keys,
                "values": posterior.alpha * posterior.values,
                "beta": torch.tensor([posterior.beta]),
            }
    else:
        raise UserError(
            f"the model of this project ({type(posterior).__name__}) cannot leave as plain arrays yet: "
            "export predictions instead"
        )
    classes, width = found["weights"].shape
    # the quadrature spends its first coordinate on the factor that all classes share, where there is one
    first = 1 if isinstance(posterior, LaplacePosterior) else 0
    nothing = {
        "centre": torch.zeros(width) if centre is None else torch.from_numpy(centre),
        "bias": torch.zeros(classes),
        "middle": torch.zeros(width),
        "explained": torch.zeros(classes, width, 0),
        "prior": torch.zeros(classes),
        "keys": torch.zeros(0, width),
        "values": torch.zeros(0, classes),
        "nodes": normal_nodes(N_SAMPLES, first + classes)[:, first:],
        "shared": torch.zeros(width, 0),
        "signs": torch.zeros(0),
        "beta": torch.zeros(1),
    }
    everything = {**nothing, **found}
    return PortableAdapter(**{name: value.float().numpy() for name, value in everything.items()})


def _explained(posterior: LaplacePosterior | VariationalPosterior) -> Iterator[Tensor]:
    """E_c [a,D] of each class: ``var_c = v_c (|x̂|² − |E_c x̂|²)``; no more rows than D."""
    if isinstance(posterior, VariationalPosterior):
        rows = posterior.amplitude**0.5 * posterior.labeled.double()
        for weight in (posterior.gains.square() * posterior.precision).double().unbind(1):
            chol, u = label_factors(rows, weight)
            yield torch.linalg.solve_triangular(chol, u, upper=False)
    else:
        rows = posterior.rows.double()
        dual = posterior.dual
        for gain, active, half in zip(dual.gains.tolist(), dual.active, dual.half, strict=True):
            e = posterior.amplitude**0.5 * gain * half.mT @ rows[active]
            yield e if len(e) <= e.shape[1] else torch.linalg.qr(e, mode="r").R


def _shared(posterior: LaplacePosterior) -> tuple[Tensor, Tensor]:
    """s [D,r] and signs [r] of ``T κ² Xᵀ (mean coupling) X``, rounding left out."""
    rows = posterior.amplitude * posterior.rows.double()
    values, vectors = torch.linalg.eigh(posterior.temperature * rows.T @ posterior.dual.common @ rows)
    kept = values.abs() > 1e-9 * values.abs().amax()
    return vectors[:, kept] * values[kept].abs().sqrt(), values[kept].sign()
