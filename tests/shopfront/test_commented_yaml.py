import pytest
import yaml
from pydantic import BaseModel, Field

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


def test_an_undocumented_key_is_named() -> None:
    with pytest.raises(ValueError, match="undocumented"):
        commented_yaml(Bare())
