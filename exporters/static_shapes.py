"""Reshapes of an ONNX graph with their target written down, instead of computed from sizes at every call.

torch computes each target from the sizes of other tensors: half a dozen tiny nodes for one reshape. Where at
most one size is open, -1 says as much; an open size that stays in place is a 0, which copies it.
"""

import numpy as np
import onnx_ir as ir


def write_shapes_down(graph: ir.Model) -> None:
    """Replaces the computed targets of Reshape nodes, in place, and drops those that change nothing.

    Shapes are those that torch's exporter left with the values; a node without them stays. What computed the
    targets is left for a pass that removes unused nodes.
    """
    for node in list(graph.graph):
        if (
            node.op_type != "Reshape"
            or node.domain not in ("", "ai.onnx")
            or node.outputs[0].is_graph_output()
        ):
            continue
        before, after = node.inputs[0], node.outputs[0]
        if before is None or before.shape is None:
            continue
        if after.shape is None and len(before.shape) == 1 and _is_flat(node.inputs[1]):
            after.shape = before.shape
        if after.shape is None:
            continue
        if _known(before.shape) and list(before.shape) == list(after.shape):
            ir.convenience.replace_all_uses_with(after, before)
            graph.graph.remove(node, safe=True)
            continue
        target = _target(before.shape, after.shape)
        if target is not None:
            constant = ir.node("Constant", [], {"value": ir.tensor(np.array(target, np.int64))})
            graph.graph.insert_before(node, constant)
            node.replace_input_with(1, constant.outputs[0])
            node.attributes.pop("allowzero", None)  # torch sets it; then 0 would mean a size of 0


def _is_flat(target: ir.Value | None) -> bool:
    """Whether a target is the constant [-1]."""
    constant = None if target is None else ir.convenience.get_const_tensor(target)
    return constant is not None and constant.numpy().tolist() == [-1]


def _known(shape: ir.Shape) -> bool:
    """Whether every size has a number or a name."""
    return all(isinstance(size, int) or size.value is not None for size in shape)


def _target(before: ir.Shape, after: ir.Shape) -> list[int] | None:
    """The constant target of a reshape; None where more than one size would have to be inferred."""
    if not _known(after):
        return None
    target = []
    for place, size in enumerate(after):
        kept = place < len(before) and _known(before) and before[place] == size
        target.append(size if isinstance(size, int) else 0 if kept else -1)
    return target if target.count(-1) <= 1 else None
