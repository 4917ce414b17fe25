"""Which models a build trains, and in which order: those that are needed, their teachers before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.kind import ModelKind
from registration.registry import RegistrationError


def check_teachers(models: Mapping[str, ModelKind]) -> None:
    """Raises RegistrationError where a model has an unknown teacher, or teachers form a cycle."""
    for name, kind in models.items():
        for teacher in kind.teachers:
            if teacher not in models:
                raise RegistrationError(
                    f"the model {name} learns from {teacher}, which is not registered (there are"
                    f" {', '.join(models)}); correct `teachers` of {name}, or register {teacher}"
                )
    for name in models:
        _check_cycle(models, name, ())


def _check_cycle(models: Mapping[str, ModelKind], name: str, pupils: tuple[str, ...]) -> None:
    if name in pupils:
        cycle = " learns from ".join((*pupils[pupils.index(name) :], name))
        raise RegistrationError(
            f"models teach each other in a circle: {cycle}; take a teacher out of `teachers` of one of them"
        )
    for teacher in models[name].teachers:
        _check_cycle(models, teacher, (*pupils, name))


def check_needs(needs: Mapping[str, Sequence[str]], models: Mapping[str, ModelKind]) -> None:
    """Raises RegistrationError where something needs a model that is not registered.

    needs: what needs models ("the recall channel mind") → their names.
    """
    for needing, names in needs.items():
        for name in names:
            if name not in models:
                raise RegistrationError(
                    f"{needing} needs the model {name}, which is not registered (there are"
                    f" {', '.join(models)}); correct the name, or name the module that registers it under"
                    " plugins"
                )


def build_order(needs: Mapping[str, Sequence[str]], models: Mapping[str, ModelKind]) -> list[str]:
    """The needed models and all their teachers, each once, teachers first, else in the registry's order.

    Args:
        needs: what needs models ("the recall channel mind") → their names.
        models: those registered.

    Returns:
        Names of models.

    Raises:
        RegistrationError: a needed model or a teacher is not registered, or teachers form a cycle; names
            both sides and what to do.
    """
    check_needs(needs, models)
    check_teachers(models)
    needed = {name for names in needs.values() for name in names}
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for teacher in models[name].teachers:
            visit(teacher)
        order.setdefault(name)

    for name in models:
        if name in needed:
            visit(name)
    return list(order)
