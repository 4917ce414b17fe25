"""The value `auto` of a setting: chosen by what ingest measured on the shop's log."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, GetCoreSchemaHandler, GetPydanticSchema, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

AUTO: Final = "auto"

Auto = Literal["auto"]


def _or_auto(*limits: Any) -> GetPydanticSchema:
    """The schema of a number within limits, or `auto`; a mistake is one line at the setting's own path."""

    def checked(value: Any, number: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, str) and value != AUTO:
            raise ValueError(f"should be a number or {AUTO}, got {value!r}")
        return value if value == AUTO else number(value)

    def schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            checked,
            handler(Annotated[float, *limits]),
            serialization=core_schema.simple_ser_schema("any"),
        )

    return GetPydanticSchema(schema)


ShareOrAuto = Annotated[float | Auto, _or_auto(Field(ge=0))]
"""A share, or `auto`."""

DaysOrAuto = Annotated[float | Auto, _or_auto(Field(gt=0, le=36_500))]
"""Days, or `auto`."""
