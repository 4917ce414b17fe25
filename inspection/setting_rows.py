"""A settings model as rows: every key with its value, default, meaning and bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

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
                default_value=_default(field),
                description=" ".join((field.description or "").split()),
                bounds=_bounds(field),
            )


def _about(section: BaseModel) -> str:
    return (type(section).__doc__ or "").partition("\n")[0]


def _default(field: FieldInfo) -> str:
    if field.default_factory_takes_validated_data:
        return ""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return ""
    return _json(default.model_dump(mode="json") if isinstance(default, BaseModel) else default)


def _bounds(field: FieldInfo) -> str:
    found = [
        f"{words} {getattr(limit, attribute):g}"
        for kind, attribute, words in _BOUNDS
        for limit in field.metadata
        if isinstance(limit, kind)
    ]
    return ", ".join(found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
