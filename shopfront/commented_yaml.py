"""Writes a settings model as YAML: every key with its default, below its description."""

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from registration.registered_sections import RegisteredSections

WIDTH = 108


def commented_yaml(settings: BaseModel) -> str:
    """YAML text of `settings`; each field's description is a comment above it.

    Sections of registered members come after the other fields, in the registry's order, described by the
    docstring of their type.

    Raises ValueError naming a field that has no description, so that none goes undocumented.
    """
    return "\n".join(_lines(settings, indent=0, path="")) + "\n"


def _lines(settings: BaseModel, indent: int, path: str) -> Iterator[str]:
    pad = "  " * indent
    for name, value, description in _entries(settings):
        key = f"{path}{name}"
        if not description:
            raise ValueError(f"setting {key} has no description")
        if indent == 0:
            yield ""
        yield from textwrap.wrap(
            " ".join(description.split()), WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# "
        )
        if isinstance(value, BaseModel) and _entries(value):
            yield f"{pad}{name}:"
            yield from _lines(value, indent + 1, f"{key}.")
        else:
            yield f"{pad}{name}: {_scalar(value)}"


def _entries(settings: BaseModel) -> list[tuple[str, Any, str | None]]:
    """(key, value, description) of each field, then of each registered member's section."""
    found: list[tuple[str, Any, str | None]] = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        found.append((name, value, field.description or _docstring(value)))
    if isinstance(settings, RegisteredSections):
        found += [(name, section, _docstring(section)) for name, section in settings.sections().items()]
    return found


def _docstring(value: Any) -> str | None:
    return type(value).__doc__ if isinstance(value, BaseModel) else None


def _scalar(value: Any) -> str:
    plain = yaml.safe_load(yaml.safe_dump(_plain(value)))
    return (
        yaml.safe_dump(plain, default_flow_style=True, width=10_000, sort_keys=False)
        .removesuffix("\n...\n")
        .strip()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
