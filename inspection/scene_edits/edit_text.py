"""Sets keys of a YAML file by changing as little of its text as possible: comments and layout stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from router.scenes.yaml_tree import YamlError, parse


class EditError(ValueError):
    """A key cannot be set in this text; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One key, by the names on the way to it from the top, and its new value, as JSON has them.

    `removes`: the key is taken out, whatever `value` is.
    """

    path: tuple[str, ...]
    value: Any = None
    removes: bool = False


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with every edit made, in their order.

    What is not edited keeps its place, order and comments. Comments inside a list or mapping that is
    replaced are lost with it.

    Raises:
        YamlError: `text` is no strict YAML.
        EditError: the way to a key ends at something that is no mapping, or goes through an alias or a merge.
    """
    for edit in edits:
        before = parse(text)
        wanted = _without(before, edit.path) if edit.removes else _set(before, edit.path, edit.value)
        text = _with_edit(text, edit)
        try:
            made = parse(text)
        except YamlError as error:
            raise _by_hand(edit, str(error)) from error
        if made != wanted:
            # An alias or a merge shows the same text at several places.
            raise _by_hand(edit, "other keys would change with it")
    return text


def _by_hand(edit: Edit, why: str) -> EditError:
    return EditError(f"{'.'.join(edit.path)} cannot be set alone ({why}); edit the file as text")


def _set(tree: Any, path: Sequence[str], value: Any) -> Any:
    """`tree` with `value` at `path`; what is no mapping on the way becomes one."""
    if not path:
        return value
    known = tree if isinstance(tree, dict) else {}
    return known | {path[0]: _set(known.get(path[0]), path[1:], value)}


def _without(tree: Any, path: Sequence[str]) -> Any:
    """`tree` without the key at `path`, if it is there."""
    if not isinstance(tree, dict) or path[0] not in tree:
        return tree
    if len(path) == 1:
        return {key: value for key, value in tree.items() if key != path[0]}
    return tree | {path[0]: _without(tree[path[0]], path[1:])}


def _with_edit(text: str, edit: Edit) -> str:
    node = yaml.compose(text, yaml.SafeLoader)
    if node is None:
        # Nothing but comments.
        entry = f"{_flow(edit.path[0])}: {_flow(_nested(edit.path[1:], edit.value))}\n"
        return text if edit.removes else text + ("\n" if text and not text.endswith("\n") else "") + entry
    for depth, part in enumerate(edit.path):
        rest = edit.path[depth + 1 :]
        if not isinstance(node, yaml.MappingNode):
            raise _by_hand(edit, f"{'.'.join(edit.path[:depth]) or 'the file'} is no mapping")
        key, child = next(((key, value) for key, value in node.value if key.value == part), (None, None))
        if edit.removes and (key is None or child is None):
            return text
        if edit.removes and not rest and key is not None and child is not None:
            return _removed(text, node, key, child)
        if key is None or child is None:
            return _inserted(text, node, part, _nested(rest, edit.value))
        if not rest or not isinstance(child, yaml.MappingNode):
            return _replaced(text, key, child, _nested(rest, edit.value))
        node = child
    return text


def _nested(path: Sequence[str], value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


def _replaced(text: str, key: yaml.Node, node: yaml.Node, value: Any) -> str:
    start, end = node.start_mark.index, _end(node)
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if is_block and isinstance(node, yaml.SequenceNode) and isinstance(value, list) and value:
        indent = "\n" + " " * node.start_mark.column
        return text[:start] + indent.join(f"- {_flow(each)}" for each in value) + text[end:]
    if is_block or start == end:
        # On the line of the key: a key without a value ends there too.
        return f"{text[: key.end_mark.index]}: {_flow(value)}{text[end:]}"
    return text[:start] + _flow(value) + text[end:]


def _inserted(text: str, node: yaml.MappingNode, key: str, value: Any) -> str:
    entry = f"{_flow(key)}: {_flow(value)}"
    if not node.value:
        at = node.start_mark.index + 1
        return text[:at] + entry + text[at:]
    at = _end(node.value[-1][1])
    if node.flow_style:
        return f"{text[:at]}, {entry}{text[at:]}"
    line_end = text.find("\n", at)
    at = len(text) if line_end < 0 else line_end
    return f"{text[:at]}\n{' ' * node.start_mark.column}{entry}{text[at:]}"


def _removed(text: str, node: yaml.MappingNode, key: yaml.Node, child: yaml.Node) -> str:
    """The text without an entry of a mapping; the lines of comments before the next one stay."""
    start, end = key.start_mark.index, _end(child)
    if len(node.value) == 1:
        return f"{text[: node.start_mark.index]}{{}}{text[_end(node) :]}"
    if not node.flow_style:
        start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", end)
        return text[:start] + (text[line_end + 1 :] if line_end >= 0 else "")
    names = [each.start_mark.index for each, _ in node.value]
    at = names.index(start)
    if at + 1 < len(names):
        return text[:start] + text[names[at + 1] :]
    return text[: _end(node.value[at - 1][1])] + text[end:]


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends, without the space and the comments behind it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)


def _flow(value: Any) -> str:
    # As an entry of a flow sequence: some texts, such as "-[", need quotes only there.
    entry = yaml.safe_dump([value], default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return entry.strip()[1:-1]
