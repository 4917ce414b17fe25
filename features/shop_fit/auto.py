"""The value `auto` of a setting: chosen by what ingest measured on the shop's log."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, GetCoreSchemaHandler, GetPydanticSchema, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema

AUTO: Final = "auto"

Auto = Literal["auto"]


def _or_auto(otherwise: Any, what: str) -> GetPydanticSchema:
    """The schema of the type `otherwise`, or `auto`; a mistake is one line at the setting's own path."""

    def checked(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, str) and value != AUTO:
            raise ValueError(f"should be {what} or {AUTO}, got {value!r}")
        return value if value == AUTO else validate(value)

    def schema(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            checked,
            handler(otherwise),
            serialization=core_schema.simple_ser_schema("any"),
        )

    return GetPydanticSchema(schema)


ShareOrAuto = Annotated[float | Auto, _or_auto(Annotated[float, Field(ge=0)], "a number")]
"""A share, or `auto`."""

DaysOrAuto = Annotated[float | Auto, _or_auto(Annotated[float, Field(gt=0, le=36_500)], "a number")]
"""Days, or `auto`."""

SwitchOrAuto = Annotated[bool | Auto, _or_auto(bool, "true, false")]
"""On or off, or `auto`."""
