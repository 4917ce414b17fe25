import pytest
import yaml
from pydantic import BaseModel, Field

from registration.registered_sections import RegisteredSections
from shopfront.commented_yaml import commented_yaml


class Inner(BaseModel):
    rates: dict[str, float] = Field({"view": 2.52, "a: b": 1.0}, description="Rates.")
    name: str = Field("yes", description="A text that YAML would take for a boolean if bare.")


class Outer(BaseModel):
    inner: Inner = Field(Inner(), description="The inner ones, " + "long " * 40)
    steps: list[tuple[int, float]] = Field([(1, 2.5)], description="Steps.")
    missing: int | None = Field(None, description="May be absent.")


class Bare(BaseModel):
    undocumented: int = 3


def test_what_is_written_reads_back_as_the_same_settings() -> None:
    text = commented_yaml(Outer())
    assert Outer.model_validate(yaml.safe_load(text)) == Outer()
    assert all(len(line) <= 110 for line in text.splitlines())
    assert "# Rates." in text


class Near(BaseModel):
    """A part that a plug-in registered."""

    size: int = Field(3, description="Size.")


class Parts(RegisteredSections):
    """Parts by name."""

    limit: int = Field(1, description="Limit.")

    @classmethod
    def section_types(cls) -> dict[str, type[BaseModel]]:
        return {"near": Near}


class NoParts(RegisteredSections):
    """No part is registered."""

    @classmethod
    def section_types(cls) -> dict[str, type[BaseModel]]:
        return {}


class WithParts(BaseModel):
    parts: Parts = Field(default_factory=Parts)
    none: NoParts = Field(default_factory=NoParts)


def test_sections_of_registered_members_follow_the_fields_and_an_empty_one_reads_back() -> None:
    text = commented_yaml(WithParts())
    assert text.splitlines() == [
        "",
        "# Parts by name.",
        "parts:",
        "  # Limit.",
        "  limit: 1",
        "  # A part that a plug-in registered.",
        "  near:",
        "    # Size.",
        "    size: 3",
        "",
        "# No part is registered.",
        "none: {}",
    ]
    assert WithParts.model_validate(yaml.safe_load(text)) == WithParts()


def test_an_undocumented_key_is_named() -> None:
    with pytest.raises(ValueError, match="undocumented"):
        commented_yaml(Bare())
