"""The writer's own analysis as ONNX: tokens for every depth, found together instead of one after another.

    image (1, H, W, 3) uint8 -> choices_i (1, G * (G + 1) / 2, h, w) uint8 and errors_i (1, G + 1, h, w) float32

A residual quantizer takes the nearest codeword of each group in turn, which is greedy. Here a beam keeps the few best
sequences of codewords from group to group, by the measure that the model was trained with: squared distance and what
codewords cost (wisp.train.quantizer). The best sequence of n groups need not begin as the best one of n + 1 does, so
each number of groups has tokens of its own: choices_i holds those of one group, then those of two, and so on.

The graph is the analysis network's with other quantizers, and all of its weights are: it names them and leaves them
out (wisp.runtime.borrowing).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from wisp.errors import ModelMismatch
from wisp.runtime.borrowing import with_weights_of
from wisp.train.graph import IR_VERSION, OPSET, GraphWriter, name_nodes

BEAMS = (4, 4, 2)  # sequences that are kept at each level, coarsest first; the last counts for finer ones
CODEWORD_COST = 0.7  # of what codewords cost in training; what comes later is known here
NEVER = 1e30


class _Writer(GraphWriter):
    """Names that no analysis network has."""

    def _name(self, stem: str) -> str:
        return super()._name(f"search_{stem}")


def search_onnx(analysis: bytes, groups: Sequence[int]) -> bytes:
    """The search for an analysis network, without the weights that it has.

    Args:
        analysis: the file, as `wisp.train.transforms_onnx.write_analysis` made it.
        groups: of each level.

    Raises:
        ModelMismatch: the network is built otherwise.
    """
    model = onnx.load_model_from_string(analysis)
    stored = {part.name: part for part in model.graph.initializer}
    made_by = {name: node for node in model.graph.node for name in node.output}
    w = _Writer()
    kept: list[onnx.NodeProto] = []
    outputs: dict[str, onnx.ValueInfoProto] = {}
    nodes = list(model.graph.node)
    level, at = 0, 0
    while at < len(nodes):
        node = nodes[at]
        kept.append(node)
        at += 1
        if node.op_type != "Clip":
            continue
        end = next((i for i in range(at, len(nodes)) if nodes[i].op_type == "Clip"), len(nodes))
        quantizer = _quantizer_end(nodes, at, end)
        if quantizer is None or level >= len(groups):
            raise ModelMismatch(f"expected an analysis network with {len(groups)} quantizers, found another")
        bound = _bound(nodes[at:quantizer], stored)
        books, costs = _codewords(nodes[at:quantizer], stored, made_by, groups[level], bool(bound))
        before = len(w.nodes)
        beam = BEAMS[min(level, len(BEAMS) - 1)]
        tokens, errors, total = _search(w, node.output[0], books, costs, bound, beam)
        sent = groups[level] * (groups[level] + 1) // 2
        sizes: list[int | str | None] = [1, sent, f"h{level}", f"w{level}"]
        outputs[tokens] = helper.make_tensor_value_info(f"choices_{level}", TensorProto.UINT8, sizes)
        sizes = [1, groups[level] + 1, f"h{level}", f"w{level}"]
        outputs[errors] = helper.make_tensor_value_info(f"errors_{level}", TensorProto.FLOAT, sizes)
        kept.extend(w.nodes[before:])
        if level < len(groups) - 1:
            kept.append(helper.make_node("Identity", [total], [_total(nodes[at:quantizer])]))
        level, at = level + 1, quantizer
    return _without_weights(model, _pruned(kept, list(outputs)), w, outputs, analysis)


def _quantizer_end(nodes: Sequence[onnx.NodeProto], start: int, end: int) -> int | None:
    """Where the nodes of the quantizer that begins at `start` end: behind the two lists of its tokens and errors."""
    lists = [i for i in range(start, end) if nodes[i].op_type == "Concat" and _is_stack(nodes, i)]
    return lists[-1] + 1 if len(lists) == 2 else None


def _is_stack(nodes: Sequence[onnx.NodeProto], at: int) -> bool:
    made = {name: node for node in nodes[:at] for name in node.output}
    return all(name in made and made[name].op_type == "Unsqueeze" for name in nodes[at].input)


def _total(nodes: Sequence[onnx.NodeProto]) -> str:
    """The tensor with the sum of all codewords, channels first."""
    found: str = next(
        node.output[0]
        for node in reversed(nodes)
        if node.op_type == "Transpose" and list(node.attribute[0].ints) == [0, 3, 1, 2]
    )
    return found


def _bound(nodes: Sequence[onnx.NodeProto], stored: dict[str, onnx.TensorProto]) -> float:
    """How many times as far as the nearest a codeword may be (wisp.train.quantizer); 0 for any."""
    limits = {node.input[1] for node in nodes if node.op_type == "Greater"}
    factors = [node.input[1] for node in nodes if node.op_type == "Mul" and node.output[0] in limits]
    return float(numpy_helper.to_array(stored[factors[0]])) if factors else 0.0


def _codewords(
    nodes: Sequence[onnx.NodeProto],
    stored: dict[str, onnx.TensorProto],
    made_by: dict[str, onnx.NodeProto],
    groups: int,
    bounded: bool,
) -> tuple[list[NDArray], list[NDArray]]:
    """(256, C) float32 codewords and (256,) what each costs, of every group."""
    books: list[NDArray] = []
    costs: list[NDArray] = []
    for node in nodes:
        if node.op_type == "MatMul":
            cast = made_by[node.input[1]]
            book = numpy_helper.to_array(stored[cast.input[0]]).astype(np.float32).T / -2
            offsets = [
                numpy_helper.to_array(stored[name])
                for add in nodes
                if add.op_type == "Add" and add.input[0] == node.output[0]
                for name in add.input[1:]
            ]
            lengths = offsets[1] if bounded else (book**2).sum(1)
            books.append(book)
            costs.append(offsets[0] - lengths)
    if len(books) != groups:
        raise ModelMismatch(f"expected a quantizer of {groups} groups, found {len(books)}")
    return books, costs


def _search(
    w: GraphWriter,
    latent: str,
    books: Sequence[NDArray],
    costs: Sequence[NDArray],
    bound: float,
    beam: int,
) -> tuple[str, str, str]:
    """latent (1, C, h, w) -> choices (1, G (G + 1) / 2, h, w), errors (1, G + 1, h, w), the full sum (1, C, h, w)."""
    last, fourth = w.constant(np.array([-1], np.int64)), w.constant(np.array([3], np.int64))
    rows = w.node("Unsqueeze", w.node("Transpose", latent, perm=[0, 2, 3, 1]), fourth)  # (1, h, w, 1, C)
    residual, spent = rows, ""
    sequence: list[str] = []  # of each group, (1, h, w, K) int64
    choices, errors = [], []
    one = w.constant(np.array([1], np.int64))
    first = w.constant(np.array(0, np.int64))
    tables = [
        (w.weight(book), w.constant((CODEWORD_COST * cost).astype(np.float32)))
        for book, cost in zip(books, costs, strict=True)
    ]
    for group, book in enumerate(books):
        left = w.node("ReduceSum", w.node("Mul", residual, residual), last, keepdims=1)  # (1, h, w, K, 1)
        errors.append(w.node("Gather", w.node("Squeeze", left, last), first, axis=3))
        similar = w.node("MatMul", residual, w.weight(-2 * book.T))
        distance = w.node("Add", similar, w.constant((book**2).sum(1)))
        base = left if not spent else w.node("Add", left, w.node("Unsqueeze", spent, last))
        cost = w.node("Add", w.node("Add", distance, tables[group][1]), base)
        if bound:
            near = w.node("ReduceMin", distance, axes=[-1], keepdims=1)
            limit = w.node(
                "Add",
                w.node("Mul", near, w.constant(np.float32(bound))),
                w.node("Mul", left, w.constant(np.float32(bound - 1))),
            )
            cost = w.node("Where", w.node("Greater", distance, limit), w.constant(np.float32(NEVER)), cost)
        flat = w.node("Reshape", cost, w.constant(np.array([0, 0, 0, -1], np.int64)))
        count = w.constant(np.array([1 if group == len(books) - 1 else beam], np.int64))
        best = _least(w, flat, count)
        size = w.constant(np.array(len(book), np.int64))
        branch = w.node("Div", best, size)
        word = w.node("Sub", best, w.node("Mul", branch, size))
        sequence = [w.node("GatherElements", part, branch, axis=3) for part in sequence] + [word]
        chosen = [w.node("Gather", tables[i][0], part, axis=0) for i, part in enumerate(sequence)]
        total = chosen[0]
        for part in chosen[1:]:
            total = w.node("Add", total, part)
        residual = w.node("Sub", rows, total)
        paid = [w.node("Gather", tables[i][1], part, axis=0) for i, part in enumerate(sequence)]
        spent = paid[0]
        for part in paid[1:]:
            spent = w.node("Add", spent, part)
        choices += [w.node("Gather", part, first, axis=3) for part in sequence]
    left = w.node("ReduceSum", w.node("Mul", residual, residual), last, keepdims=0)
    errors.append(w.node("Gather", left, first, axis=3))
    full = w.node("Transpose", w.node("Squeeze", total, fourth), perm=[0, 3, 1, 2])
    bytes_ = [w.node("Cast", part, to=TensorProto.UINT8) for part in choices]
    stacked = [
        w.node("Concat", *(w.node("Unsqueeze", part, one) for part in parts), axis=1)
        for parts in (bytes_, errors)
    ]
    return stacked[0], stacked[1], full


def _least(w: GraphWriter, values: str, count: str) -> str:
    """Places (1, h, w, count) of the least of (1, h, w, N), the least first, the first of equals."""
    found, places = w._name("topk"), w._name("topk")
    w.nodes.append(helper.make_node("TopK", [values, count], [found, places], axis=3, largest=0, sorted=1))
    return places


def _pruned(nodes: Sequence[onnx.NodeProto], wanted: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes on which `wanted` depend."""
    needed, kept = set(wanted), []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _without_weights(
    model: onnx.ModelProto,
    nodes: list[onnx.NodeProto],
    w: GraphWriter,
    outputs: dict[str, onnx.ValueInfoProto],
    analysis: bytes,
) -> bytes:
    """The graph's file; constants that the analysis has too are called by its names and left out."""
    known = {(p.data_type, tuple(p.dims), p.raw_data): p.name for p in model.graph.initializer}
    own, names = [], {}
    for part in w.weights:
        name = known.get((part.data_type, tuple(part.dims), part.raw_data))
        names[part.name] = name or part.name
        if name is None:
            own.append(part)
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
    ends = [helper.make_node("Identity", [inner], [info.name]) for inner, info in outputs.items()]
    name_nodes(ends)
    name_nodes([node for node in nodes if not node.name])
    graph = helper.make_graph([*nodes, *ends], "search", list(model.graph.input), list(outputs.values()), own)
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="wisp")
    found.ir_version = IR_VERSION
    data: bytes = found.SerializeToString()
    onnx.checker.check_model(onnx.load_model_from_string(with_weights_of(data, analysis)))
    return data
