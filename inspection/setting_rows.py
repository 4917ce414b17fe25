"""A settings model as rows: every key with its value, default, meaning and bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from protos.shopfront.v1.admin_pb2 import SettingRow

_BOUNDS = (
    (annotated_types.Ge, "ge", "at least"),
    (annotated_types.Gt, "gt", "above"),
    (annotated_types.Le, "le", "at most"),
    (annotated_types.Lt, "lt", "below"),
)


def setting_rows(settings: BaseModel, path: tuple[str, ...] = ()) -> Iterator[SettingRow]:
    """One row for each key below `settings`, by the names on the way to it after `path`, in their order."""
    dumped = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        way = (*path, name)
        if isinstance(value, BaseModel):
            yield from setting_rows(value, way)
        elif isinstance(value, Mapping) and any(isinstance(each, BaseModel) for each in value.values()):
            for member, section in value.items():
                rows = list(setting_rows(section, (*way, member)))
                # A member without settings of its own is there all the same.
                yield from rows or [
                    SettingRow(
                        key=".".join((*way, member)),
                        value="{}",
                        description=_about(section),
                        path=(*way, member),
                    )
                ]
        else:
            yield SettingRow(
                key=".".join(way),
                path=way,
                value=_json(dumped.get(name)),
                default_value=default_of(field),
                description=" ".join((field.description or "").split()),
                bounds=allowed_of(field),
            )


def _about(section: BaseModel) -> str:
    return (type(section).__doc__ or "").partition("\n")[0]


def default_of(field: FieldInfo) -> str:
    """The default as JSON; empty where there is none, or where it follows from other fields."""
    if field.default_factory_takes_validated_data:
        return ""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return ""
    return _json(default)


def allowed_of(field: FieldInfo) -> str:
    """What a field takes, in words: "at least 0, below 1", "one of any, known, new"; empty = anything."""
    found = [
        f"{words} {getattr(limit, attribute):,.12g}"
        for kind, attribute, words in _BOUNDS
        for limit in field.metadata
        if isinstance(limit, kind)
    ]
    if get_origin(field.annotation) is Literal:
        found.append(f"one of {', '.join(map(str, get_args(field.annotation)))}")
    return ", ".join(found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
