"""Names what is wrong with a setting: its dotted path in the file, and what is expected there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from registration.registered_sections import RegisteredSections
from router.errors import RouterError

Path = tuple[str | int, ...]


class SettingsError(RouterError):
    """A settings file is refused.

    source    the file
    problems  one line each: dotted path of the key, and what is expected there
    """

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        """Makes the message of the source and its problems."""
        self.source = source
        self.problems = tuple(problems)
        super().__init__(f"{source} is refused:\n  " + "\n  ".join(problems))


_NO_SECTION = ("model_type", "dict_type")


def dotted(path: Iterable[str | int]) -> str:
    """("scenes", "home", "rules", 0) as "scenes.home.rules[0]"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message about a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown {kind}; expected one of {', '.join(names) or '(none)'}{hint}"


def explain(
    error: ValidationError, model: type[BaseModel], locate: Callable[[Path], Path], within: Path = ()
) -> list[str]:
    """One line per mistake that pydantic found in the input of `model`.

    within  path of that input inside its scene
    locate  turns a path inside the scene into one inside the file
    """
    lines = []
    for mistake in error.errors():
        path = mistake["loc"]
        if mistake["type"] == "extra_forbidden":
            expected = unknown("key", str(path[-1]), _keys_at(model, path[:-1]))
        elif mistake["type"] in _NO_SECTION and mistake["input"] is None:
            expected = "has no keys below it; give it some, or leave it out"
        elif mistake["type"] == "model_type":
            expected = f"should be a section of keys, got {mistake['input']!r}"
        else:
            expected = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
            if mistake["type"] != "value_error":
                expected += f", got {mistake['input']!r}"
        lines.append(f"{dotted(locate((*within, *path)))}: {expected}")
    return lines


def _keys_at(model: Any, path: Path) -> list[str]:
    """Keys of the model found by following `path` down from `model`."""
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(part))
            model = field.annotation if field else _sections(model).get(str(part))
        else:
            model = next(iter(get_args(model)[-1:]), None)
        if options := [option for option in get_args(model) if _is_model(option)]:
            model = options[0] if type(None) in get_args(model) else model
    return [*model.model_fields, *_sections(model)] if _is_model(model) else []


def _sections(model: type[BaseModel]) -> Mapping[str, type[BaseModel]]:
    """The sections that registered members add to the fields of `model`."""
    return model.section_types() if issubclass(model, RegisteredSections) else {}


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
