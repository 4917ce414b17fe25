"""Settings whose sections come from a registry: one section per registered member, named like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, SerializeAsAny, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from registration.registry import RegistrationError


class RegisteredSections(BaseModel):
    """Base of settings with a section per member of a registry, next to the fields that a subclass declares.

    A subclass overrides `section_types`. Sections are read like fields (`settings.hot`), are dumped like
    fields, and take their defaults where the input leaves them out. An unknown section is refused like an
    unknown key. Members are looked up when an input is validated, so plug-ins must be loaded before.

    Example:
        >>> class RecallSettings(RegisteredSections):
        ...     @classmethod
        ...     def section_types(cls):
        ...         return {name: kind.settings for name, kind in CHANNELS.items()}
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    __pydantic_extra__: dict[str, SerializeAsAny[BaseModel]]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A section by its name."""

    @classmethod
    def section_types(cls) -> Mapping[str, type[BaseModel]]:
        """Settings type of each registered member, by name, in the registry's order."""
        raise NotImplementedError

    def sections(self) -> dict[str, BaseModel]:
        """Every member's settings by name, in the registry's order."""
        return {name: getattr(self, name) for name in self.section_types()}

    @model_validator(mode="before")
    @classmethod
    def _validate_sections(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        types = cls.section_types()
        if taken := sorted(name for name in types if name in cls.model_fields or hasattr(cls, name)):
            raise RegistrationError(
                f"a member is named {taken[0]}, like a setting or method of {cls.__name__} itself (the "
                f"member's settings are {_path(types[taken[0]])}); rename the member"
            )
        errors = [
            InitErrorDetails(type="extra_forbidden", loc=(name,), input=value)
            for name, value in data.items()
            if name not in types and name not in cls.model_fields
        ]
        read = {name: value for name, value in data.items() if name in cls.model_fields}
        for name, settings in types.items():
            try:
                read[name] = settings.model_validate(data.get(name, {}))
            except ValidationError as error:
                if name not in data:
                    raise _without_defaults(name, settings, error) from error
                errors.extend(_below(name, error))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return read


def _without_defaults(name: str, settings: type[BaseModel], error: ValidationError) -> RegistrationError:
    """That a section cannot be left out, as every section must."""
    wrong = ", ".join(".".join(map(str, mistake["loc"])) or mistake["msg"] for mistake in error.errors())
    return RegistrationError(
        f"the settings {_path(settings)} of {name} cannot be left out ({wrong}); give each field a "
        "valid default"
    )


def _path(settings: type[BaseModel]) -> str:
    return f"{settings.__module__}.{settings.__qualname__}"


def _below(name: str, error: ValidationError) -> list[InitErrorDetails]:
    """The mistakes found in the section `name`, at their paths in the whole input."""
    return [
        InitErrorDetails(
            type=mistake["type"],
            loc=(name, *mistake["loc"]),
            input=mistake["input"],
            ctx=mistake.get("ctx", {}),
        )
        for mistake in error.errors()
    ]
