"""Reads YAML strictly: no key twice, keys are text, an error names the place."""

from __future__ import annotations

from typing import Any

import yaml

from router.errors import RouterError


class YamlError(RouterError):
    """The text is not YAML of the strict kind; the message names line and key."""


def parse(text: str) -> Any:
    """The value of one YAML document (None where it is empty). Raises `YamlError`."""
    try:
        return _checked(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(f"not readable as YAML: {error}") from error


def _checked(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_keys(root, "", set())
        # Of the nodes that were checked: parsing takes longer than all the rest.
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_keys(node: yaml.Node, path: str, above: set[int]) -> None:
    if id(node) in above:
        raise YamlError(f"line {node.start_mark.line + 1}: {path or 'the document'} contains itself")
    above = above | {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            _check_keys(child, f"{path}[{position}]", above)
    if not isinstance(node, yaml.MappingNode):
        return
    first_line: dict[str, int] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        merge = key.tag == "tag:yaml.org,2002:merge"
        if not isinstance(key, yaml.ScalarNode) or (key.tag != "tag:yaml.org,2002:str" and not merge):
            shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise YamlError(f"line {line}: a key under {path or 'the top'} is not text ({shown}); quote it")
        dotted = f"{path}.{key.value}" if path else key.value
        if key.value in first_line:
            raise YamlError(f"{dotted}: the key comes twice, on lines {first_line[key.value]} and {line}")
        first_line[key.value] = line
        _check_keys(child, dotted, above)
