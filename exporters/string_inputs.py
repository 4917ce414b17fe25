"""Bytes inputs of an exported graph: the words are looked up inside the graph."""

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from exporters.errors import ExportRefused

ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 3


def add_vocabularies(graph: onnx.ModelProto, words: Mapping[str, Sequence[bytes]]) -> None:
    """Turns int64 inputs into inputs of strings, in place, by one LabelEncoder node each.

    Args:
        graph: takes the codes of each input named in `words`.
        words: input → its words; their positions, counted from 1, are the codes, 0 is any other word.

    Raises:
        ExportRefused: a word is not UTF-8, or comes twice: the node could not tell them apart.
    """
    if not words:
        return
    for tensor in graph.graph.input:
        if tensor.name not in words:
            continue
        name, codes = tensor.name, f"{tensor.name}.codes"
        for node in graph.graph.node:
            node.input[:] = [codes if used == name else used for used in node.input]
        encoder = helper.make_node(
            "LabelEncoder",
            [name],
            [codes],
            name=f"{name}.vocabulary",
            domain=ML_DOMAIN,
            keys_strings=_texts(name, words[name]),
            values_int64s=range(1, len(words[name]) + 1),
            default_int64=0,
        )
        graph.graph.node.insert(0, encoder)
        tensor.type.tensor_type.elem_type = onnx.TensorProto.STRING
    if all(opset.domain != ML_DOMAIN for opset in graph.opset_import):
        graph.opset_import.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))


def _texts(name: str, words: Sequence[bytes]) -> list[str]:
    if not words:
        raise ExportRefused(f"the vocabulary of the input {name} is empty; give at least one word")
    if len(set(words)) < len(words):
        raise ExportRefused(f"the vocabulary of the input {name} holds a word twice; give each once")
    try:
        return [word.decode() for word in words]
    except UnicodeDecodeError as error:
        raise ExportRefused(f"the vocabulary of the input {name} holds {error.object!r}, not UTF-8") from None
