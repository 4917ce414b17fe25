"""Which models are built, in which order, and which registrations are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.build_order import build_order, check_teachers
from models.kind import ModelKind
from models.registry import MODELS
from registration.registry import RegistrationError


def kinds(**teachers: tuple[str, ...]) -> dict[str, ModelKind]:
    return {name: replace(MODELS["bst"], teachers=names) for name, names in teachers.items()}


def test_teachers_come_first_and_what_nobody_needs_is_left_out() -> None:
    models = kinds(student=("middle",), middle=("top",), unused=(), top=())
    assert build_order({"a scene": ("student",)}, models) == ["top", "middle", "student"]
    assert build_order({}, models) == []


@given(st.data())
def test_every_order_has_teachers_before_students(data: st.DataObject) -> None:
    names = [f"m{number}" for number in range(data.draw(st.integers(1, 8)))]
    teachers = {
        name: tuple(data.draw(st.lists(st.sampled_from(names[:at]), unique=True))) if at else ()
        for at, name in enumerate(names)
    }
    shuffled = data.draw(st.permutations(names))
    models = kinds(**{name: teachers[name] for name in shuffled})
    needed = data.draw(st.lists(st.sampled_from(names), unique=True))
    order = build_order({"them": needed}, models)
    assert len(set(order)) == len(order)
    assert set(needed) <= set(order)
    for place, name in enumerate(order):
        assert set(teachers[name]) <= set(order[:place])


@pytest.mark.parametrize(
    ("models", "complaint"),
    [
        (kinds(a=("b",), b=("c",), c=("a",)), "a learns from b learns from c learns from a; take a teacher"),
        (kinds(a=("a",)), "a learns from a; take a teacher"),
        (
            kinds(a=("ghost",)),
            r"the model a learns from ghost, which is not registered \(there are a\); correct",
        ),
    ],
)
def test_contradicting_teachers_are_refused(models: dict[str, ModelKind], complaint: str) -> None:
    with pytest.raises(RegistrationError, match=complaint):
        check_teachers(models)


def test_a_channel_that_names_an_unknown_model_is_refused() -> None:
    with pytest.raises(RegistrationError, match=r"the recall channel near needs the model ghost, .*plugins"):
        build_order({"the recall channel near": ("bst", "ghost")}, MODELS)
