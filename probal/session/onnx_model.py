"""A portable adapter as an ONNX graph: the encoder's vectors in, class probabilities out.

Built node by node from `probal.session.portable`'s closed form, so that no tracer stands between the two. The
optional extra `onnx` brings the library that writes the file; any runtime reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probal import __version__
from probal.errors import UserError
from probal.session.portable import PortableAdapter

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, IR = 17, 8
"""Of 2022: runtimes of the last years read it."""


def write_onnx(path: Path, adapter: PortableAdapter, classes: Sequence[str]) -> None:
    """Write the checked graph. Input `vectors` [N,D]; outputs `probabilities` [N,C] and `label` [N], a position in
    the metadata's `classes`. UserError where the library is missing."""
    try:
        import onnx
    except ImportError:
        raise UserError("ONNX files need the extra onnx: pip install 'probal[onnx]'") from None
    model = build(adapter, classes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def build(adapter: PortableAdapter, classes: Sequence[str]) -> ModelProto:
    """The graph; names of its values follow predict.py."""
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph()
    n_classes, width = adapter.weights.shape
    x = graph("Sub", "vectors", graph.const(adapter.centre, "centre"))
    norm = graph("ReduceL2", x, axes=[1], keepdims=1)
    x = graph("Div", x, graph("Max", norm, graph.const([1e-12])))
    mean = graph("MatMul", x, graph.const(adapter.weights.T, "weights"))
    mean = graph("Add", mean, graph.const(adapter.bias, "bias"))
    if len(adapter.keys):
        cosine = graph("MatMul", x, graph.const(adapter.keys.T, "keys"))
        near = graph("Exp", graph("Mul", graph.const(adapter.beta), graph("Sub", cosine, graph.const([1.0]))))
        mean = graph("Add", mean, graph("MatMul", near, graph.const(adapter.values, "values")))
    if adapter.prior.any():
        z = _draws(graph, adapter, x, mean)
        # ReduceMean takes its axes as an attribute in this opset
        probabilities = graph("ReduceMean", graph("Softmax", z, axis=2), axes=[1], keepdims=0)
    else:
        probabilities = graph("Softmax", mean, axis=1)
    graph.nodes.append(helper.make_node("Identity", [probabilities], ["probabilities"]))
    graph.nodes.append(helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
    value = helper.make_tensor_value_info
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "probal_adapter",
            [value("vectors", TensorProto.FLOAT, ["N", width])],
            [
                value("probabilities", TensorProto.FLOAT, ["N", n_classes]),
                value("label", TensorProto.INT64, ["N"]),
            ],
            [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="probal",
        producer_version=__version__,
    )
    helper.set_model_props(made, {"classes": json.dumps(list(classes), ensure_ascii=False)})
    return made


def _draws(graph: _Graph, adapter: PortableAdapter, x: str, mean: str) -> str:
    """Logits at the quadrature's nodes, [N,K,C]."""
    x = graph("Sub", x, graph.const(adapter.middle, "middle"))
    length = graph("ReduceSumSquare", x, axes=[1], keepdims=1)  # [N,1]
    left = length
    if adapter.explained.shape[2]:
        moved = graph("MatMul", x, graph.const(adapter.explained, "explained"))  # [C,N,r]
        seen = graph("Transpose", graph("ReduceSumSquare", moved, axes=[2], keepdims=0), perm=[1, 0])
        left = graph("Relu", graph("Sub", length, seen))
    var = graph("Mul", left, graph.const(adapter.prior, "prior"))
    if len(adapter.signs):
        along = graph("MatMul", x, graph.const(adapter.shared, "shared"))  # [N,r]
        common = graph("MatMul", graph("Mul", along, along), graph.const(adapter.signs[:, None], "signs"))
        var = graph("Sub", var, graph("Relu", common))
    deviation = graph("Sqrt", graph("Relu", var))
    spread = graph("Mul", graph.wide(deviation), graph.const(adapter.nodes, "nodes"))
    return graph("Add", graph.wide(mean), spread)


class _Graph:
    """Nodes in order and constants by name; calling it adds a node and gives the name of its value."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def const(self, value: Any, name: str = "") -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value, np.float32)
        return name

    def wide(self, value: str) -> str:
        """[N,C] as [N,1,C]."""
        if "axis_1" not in self.constants:
            self.constants["axis_1"] = np.array([1], np.int64)
        return self("Unsqueeze", value, "axis_1")
