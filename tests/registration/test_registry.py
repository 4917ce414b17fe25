"""Registries and the settings sections made from them."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from registration.registered_sections import RegisteredSections
from registration.registry import RegistrationError, Registry


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(3, ge=1, description="Size.")

    @model_validator(mode="after")
    def _no_seven(self) -> "Part":
        if self.size == 7:
            raise ValueError("seven is not allowed")
        return self


PARTS: Registry[type[BaseModel]] = Registry("part", "PARTS", {"a": Part, "b": Part})


class Parts(RegisteredSections):
    limit: int = Field(1, description="Limit.")

    @classmethod
    def section_types(cls) -> dict[str, type[BaseModel]]:
        return dict(PARTS)


class Everything(BaseModel):
    parts: Parts = Field(default_factory=Parts, description="Parts.")


def problems(given: object) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({"parts": given})
    return [(each["loc"], each["type"]) for each in refused.value.errors()]


def test_a_section_takes_its_defaults_and_survives_a_round_trip() -> None:
    read = Everything.model_validate({"parts": {"a": {"size": 5}}})
    assert (read.parts.a.size, read.parts.b.size, read.parts.limit) == (5, 3, 1)
    dumped = read.model_dump(mode="json")
    assert dumped == {"parts": {"limit": 1, "a": {"size": 5}, "b": {"size": 3}}}
    assert Everything.model_validate(dumped) == read
    assert Everything().parts == Parts()
    assert list(read.parts.sections()) == ["a", "b"]


def test_mistakes_in_sections_are_named_by_their_whole_path() -> None:
    assert problems({"a": {"size": 0}, "b": {"sise": 1}, "c": {}}) == [
        (("parts", "c"), "extra_forbidden"),
        (("parts", "a", "size"), "greater_than_equal"),
        (("parts", "b", "sise"), "extra_forbidden"),
    ]
    assert problems({"a": {"size": 7}}) == [(("parts", "a"), "value_error")]


def test_a_member_registered_later_has_a_section() -> None:
    PARTS.add("late", Part, "my_shop")
    try:
        assert Parts().late.size == 3
    finally:
        PARTS.remove("my_shop")
    assert problems({"late": {}}) == [(("parts", "late"), "extra_forbidden")]


def test_two_members_of_one_name_are_refused_with_both_modules() -> None:
    registry = Registry("filter", "FILTERS", {"adult": 1})
    registry.add("age", 2, "my_shop.filters")
    registry.add("age", 2, "my_shop.filters")
    with pytest.raises(RegistrationError, match="two filters are named adult: one of shopfront"):
        registry.add("adult", 3, "my_shop.filters")
    with pytest.raises(RegistrationError, match=r"my_shop\.filters and one of other"):
        registry.add("age", 4, "other")
    assert dict(registry) == {"adult": 1, "age": 2}


def test_a_member_with_a_fault_is_refused_by_name_and_module() -> None:
    def fault(name: str, member: int, members: Mapping[str, int]) -> str | None:
        return (
            f"is below {max(members.values())}; raise it"
            if member < max(members.values(), default=0)
            else None
        )

    levels = Registry("level", "LEVELS", {"low": 1, "high": 5}, fault)
    with pytest.raises(RegistrationError, match="the level middle of my_shop is below 5; raise it"):
        levels.add("middle", 3, "my_shop")
    assert list(levels) == ["low", "high"]


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a.b", "a b", "a\nb", "A", "7", "ähnlich", "a" * 65, "no", "null", 7, None]
)
def test_names_that_are_no_folder_no_key_or_no_label_are_refused(name: Any) -> None:
    registry = Registry("filter", "FILTERS", {"adult": 1, "a" * 64: 2, "i2i_3": 3})
    with pytest.raises(RegistrationError, match=r"^the filter '.*' of my_shop (must be named|has a name)"):
        registry.add(name, 4, "my_shop")
    assert len(registry) == 3


def test_a_member_named_like_a_method_of_the_settings_is_refused() -> None:
    PARTS.add("copy", Part, "my_shop")
    try:
        with pytest.raises(
            RegistrationError, match=r"named copy, like .* of Parts itself .*test_registry\.Part"
        ):
            Parts()
    finally:
        PARTS.remove("my_shop")


def test_a_section_that_cannot_be_left_out_is_the_registrations_fault() -> None:
    class Demanding(BaseModel):
        size: int

    PARTS.add("demanding", Demanding, "my_shop")
    try:
        with pytest.raises(RegistrationError, match=r"Demanding of demanding cannot be left out \(size\)"):
            Parts()
        assert problems({"demanding": {"size": "x"}}) == [(("parts", "demanding", "size"), "int_parsing")]
    finally:
        PARTS.remove("my_shop")
