"""A network that uses another one's weights: it names them, and they are put in before it is loaded.

In protocol buffers (ONNX's format) two messages one after the other are one message with the fields of both, so the
weights of the other network are put behind, as they are.
"""

from __future__ import annotations

from wisp.runtime.wire import fields, varint_bytes

_GRAPH, _INITIALIZER = 7, 5  # fields of a model and of its graph
_BYTES = 2  # wire type of what has a length


def with_weights_of(network: bytes, lender: bytes) -> bytes:
    """A network's file with all weights of `lender`; those that it does not name are dropped when it is loaded."""
    weights = bytearray()
    for field, graph in fields(memoryview(lender)):
        if field == _GRAPH and not isinstance(graph, int):
            for inner, tensor in fields(graph):
                if inner == _INITIALIZER and not isinstance(tensor, int):
                    weights += varint_bytes(_INITIALIZER << 3 | _BYTES) + varint_bytes(len(tensor)) + tensor
    return network + varint_bytes(_GRAPH << 3 | _BYTES) + varint_bytes(len(weights)) + bytes(weights)
