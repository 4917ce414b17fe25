"""Writes a settings model as YAML in which every key stands with its default and its description."""

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from foundation.registered_sections import RegisteredSections

WIDTH = 108


def commented_yaml(settings: BaseModel) -> str:
    """YAML text of `settings`; each field's description stands as a comment above it.

    Raises ValueError naming a field that has no description, so that none goes undocumented.
    """
    return "\n".join(_lines(settings, indent=0, path="")) + "\n"


def _lines(settings: BaseModel, indent: int, path: str) -> Iterator[str]:
    pad = "  " * indent
    for name, value, description in _keys(settings):
        key = f"{path}{name}"
        description = description or (type(value).__doc__ if isinstance(value, BaseModel) else None)
        if not description:
            raise ValueError(f"setting {key} has no description")
        if indent == 0:
            yield ""
        yield from textwrap.wrap(
            " ".join(description.split()), WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# "
        )
        if isinstance(value, BaseModel):
            yield f"{pad}{name}:"
            yield from _lines(value, indent + 1, f"{key}.")
        else:
            yield f"{pad}{name}: {_scalar(value)}"


def _keys(settings: BaseModel) -> Iterator[tuple[str, Any, str | None]]:
    """(name, value, description) of every key; sections of registered members come first."""
    if isinstance(settings, RegisteredSections):
        for name, section in settings.sections().items():
            yield name, section, None
    for name, field in type(settings).model_fields.items():
        yield name, getattr(settings, name), field.description


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
