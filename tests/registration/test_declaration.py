"""What is refused of a member before anything uses it: its type, and fields of another form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field

from registration.declaration import declaration_fault

if TYPE_CHECKING:
    from torch import nn

Source = Literal["snapshot", "live"]


class PartSettings(BaseModel):
    """Base of the settings."""


class OtherSettings(PartSettings):
    """Settings of one member."""


class SectionSettings(PartSettings):
    """Settings with a section, which its type describes."""

    other: OtherSettings = OtherSettings()
    kept: int = Field(3, description="Items kept.")


class TerseSettings(PartSettings):
    """Settings with a field that says nothing."""

    kept: int = 3


class SilentSettings(PartSettings):
    kept: int = Field(3, description="Items kept.")


@dataclass(frozen=True)
class Table:
    """A field's element."""

    build: Callable[[int], int]


@dataclass(frozen=True)
class Kind:
    """One field of each form."""

    settings: type[PartSettings]
    create: Callable[[nn.Module], int] = id
    makes: Callable[[int], int] | None = None
    models: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    source: Source = "snapshot"
    sizes: Mapping[str, int] = field(default_factory=dict)
    timeout_ms: float = 20
    default: Any = None


@dataclass(frozen=True)
class Inheriting(Kind):
    """Fields of a base declared in the base's module."""


@pytest.mark.parametrize("kind", [Kind, Inheriting])
def test_members_that_fit_have_no_fault(kind: type[Kind]) -> None:
    assert declaration_fault(kind(OtherSettings), kind) is None
    full = kind(PartSettings, print, print, ("bst",), (Table(abs),), "live", {"n": 2}, 0.5, object())
    assert declaration_fault(full, kind) is None
    assert declaration_fault(kind(SectionSettings), kind) is None


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"settings": OtherSettings()}, "has a OtherSettings as `settings`; it must be a subclass of Part"),
        ({"settings": dict}, "has the class dict as `settings`; it must be a subclass of PartSettings"),
        (
            {"settings": TerseSettings},
            "has the class TerseSettings as `settings`, whose field kept has no description; give",
        ),
        (
            {"settings": SilentSettings},
            "has the class SilentSettings as `settings`, which has no docstring; its first line says what",
        ),
        ({"create": None}, "has None as `create`; it must be a function"),
        ({"makes": 3}, "has a int as `makes`; it must be a function"),
        ({"models": "bst"}, "has the text 'bst' as `models`; it must be a tuple of str"),
        ({"models": (1,)}, "has a tuple as `models`; it must be a tuple of str: one is a int"),
        ({"tables": Table(abs)}, "has a Table as `tables`; it must be a tuple of Table"),
        (
            {"tables": (Table,)},
            "has a tuple as `tables`; it must be a tuple of Table: one is the class Table",
        ),
        (
            {"tables": (Table(3),)},
            "it must be a tuple of Table: one has a int as `build`; it must be a funct",
        ),  # type: ignore[arg-type]
        ({"source": "now"}, "has the text 'now' as `source`; it must be one of snapshot, live"),
        ({"sizes": [1]}, "has a list as `sizes`; it must be a mapping"),
        ({"timeout_ms": "9"}, "has the text '9' as `timeout_ms`; it must be a number"),
        ({"timeout_ms": True}, "has a bool as `timeout_ms`; it must be a number"),
    ],
)
def test_a_field_of_another_form_is_named(fields: dict[str, Any], fault: str) -> None:
    for kind in (Kind, Inheriting):
        found = declaration_fault(kind(**{"settings": OtherSettings, **fields}), kind)
        assert found is not None
        assert fault in found


@pytest.mark.parametrize(
    ("member", "found"),
    [(None, "None"), (Kind, "the class Kind"), (print, "a builtin_function"), ("x", "the t")],
)
def test_something_else_than_the_kind_is_named(member: object, found: str) -> None:
    fault = declaration_fault(member, Kind)
    assert fault is not None
    assert fault.startswith(f"is {found}")
    assert fault.endswith(f"it must be a {__name__}.Kind")
