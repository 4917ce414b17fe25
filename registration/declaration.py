"""What is wrong with a registered member by itself: its name, its type, or the form of one of its fields.

Fields are checked by their annotations, so that a plug-in's mistake (a class where an object is expected, a
name where a tuple of names is expected) is refused at start instead of failing where the field is first used.
Settings must say what they are for, since people see them.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NOT_TEXT_IN_YAML = frozenset(("true", "false", "yes", "no", "on", "off", "null"))
_TUPLE_OF = re.compile(r"tuple\[(\w+), \.\.\.\]")
_CLASS_BELOW = re.compile(r"type\[(\w+)\]")


def name_fault(name: object) -> str | None:
    """Why a member cannot have this name, and what to do; None where it can.

    Names are folders, keys of YAML files, values of metric labels and names of models on Triton.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "must be named by a lower-case letter, then at most 63 lower-case letters, digits or _"
    if name in NOT_TEXT_IN_YAML:
        return "has a name that YAML reads as yes, no or nothing; choose another"
    return None


def declaration_fault(member: object, kind: type) -> str | None:
    """Why an object is no usable `kind`, and what to do, continuing "the filter age"; None where it is."""
    if not isinstance(member, kind):
        return f"is {_described(member)}; it must be a {kind.__module__}.{kind.__qualname__}"
    if not is_dataclass(member) or isinstance(member, type):
        return None
    for field in fields(member):
        value = getattr(member, field.name)
        expected = _expected(type(member), field, value)
        if expected is not None:
            return f"has {_described(value)} as `{field.name}`; it must be {expected}"
        if isinstance(value, type) and issubclass(value, BaseModel):
            fault = _undescribed(value)
            if fault is not None:
                return f"has {_described(value)} as `{field.name}`, {fault}"
    return None


def _undescribed(settings: type[BaseModel]) -> str | None:
    """What settings lack that the console, `shopfront config` and the manual show of them; None: nothing."""
    if not (settings.__doc__ or "").strip():
        return "which has no docstring; its first line says what the member does"
    for name, field in settings.model_fields.items():
        section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        if not field.description and not section:
            return f"whose field {name} has no description; give its Field one, with its unit"
    return None


def _expected(kind: type, field: Field[Any], value: object) -> str | None:
    """What `field` must be, where `value` is something else; None where it fits or any value does."""
    annotation = str(field.type)
    if value is None and annotation.endswith("| None"):
        return None
    if annotation.startswith("Callable["):
        return None if callable(value) else "a function"
    if base := _CLASS_BELOW.match(annotation):
        wanted = _named(kind, field, base[1])
        fits = isinstance(value, type) and (wanted is None or issubclass(value, wanted))
        return None if fits else f"a subclass of {base[1]}"
    if element := _TUPLE_OF.match(annotation):
        return _expected_tuple(_named(kind, field, element[1]), element[1], value)
    if annotation.startswith("Mapping["):
        return None if isinstance(value, Mapping) else "a mapping"
    if annotation in ("int", "float"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if number else "a number"
    named = _named(kind, field, annotation)
    if get_origin(named) is Literal:
        choices = get_args(named)
        return None if value in choices else f"one of {', '.join(choices)}"
    if isinstance(named, type) and named is not Any:
        return None if isinstance(value, named) else f"a {annotation}"
    return None


def _expected_tuple(wanted: Any, name: str, value: object) -> str | None:
    if not isinstance(value, tuple):
        return f"a tuple of {name}, such as `(…,)`"
    if wanted is None:
        return None
    for element in value:
        fault = declaration_fault(element, wanted)
        if fault is not None:
            return f"a tuple of {name}: one {fault}"
    return None


def _named(kind: type, field: Field[Any], name: str) -> Any:
    """What a name in a field's annotation means where the field is declared; None where it means nothing."""
    declared_in = next(each for each in kind.__mro__ if field.name in vars(each).get("__annotations__", {}))
    return vars(sys.modules[declared_in.__module__]).get(name, getattr(builtins, name, None))


def _described(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, str):
        return f"the text {value[:80]!r}"
    return f"a {type(value).__name__}"
