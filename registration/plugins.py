"""Loads a shop's plug-ins: modules that register members of concepts in addition to the built-in ones.

A plug-in is a module with dictionaries named like the registries' attributes, for example
`CHANNELS = {"near": CHANNEL}`: a shop's own parts are registered in the same form as the built-in ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from registration.registry import RegistrationError, Registry

VARIABLE = "SHOPFRONT_PLUGINS"
"""Environment variable with the modules, separated by commas, for processes that receive no settings."""


def load_plugins(
    modules: Iterable[str], registries: Iterable[Registry[Any]], elsewhere: Collection[str] = ()
) -> None:
    """Imports each module and registers what it declares; a module loaded before is not registered twice.

    Args:
        modules: dotted names, as in the setting `plugins`.
        registries: those that plug-ins may extend.
        elsewhere: attributes of registries that only other processes load; a module may define no others.

    Raises:
        RegistrationError: a module cannot be imported, declares nothing, or one of its members has the name
            of another; nothing of that module is registered then.
    """
    known = list(registries)
    for name in modules:
        declared = _declarations(name, known, elsewhere)
        try:
            for registry, members in declared:
                for member_name, member in members.items():
                    registry.add(member_name, member, name)
        except RegistrationError:
            for registry, _ in declared:
                registry.remove(name)
            raise


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _declarations(
    name: str, registries: list[Registry[Any]], elsewhere: Collection[str]
) -> list[tuple[Registry[Any], Mapping[str, Any]]]:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise RegistrationError(
            f"plugins: the module {name} cannot be imported ({_in_one_line(error)}); check its name, and "
            "that it and what it imports are installed or on PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:
        # A plug-in's own code may raise anything while it is imported, and call `sys.exit`.
        raise RegistrationError(
            f"plugins: the module {name} fails when it is imported ({type(error).__name__}: "
            f"{_in_one_line(error)}); correct it, or remove it from plugins"
        ) from error
    declared = [
        (each, getattr(module, each.attribute)) for each in registries if hasattr(module, each.attribute)
    ]
    if not declared and not any(hasattr(module, attribute) for attribute in elsewhere):
        names = ", ".join(sorted({*(each.attribute for each in registries), *elsewhere}))
        raise RegistrationError(
            f"plugins: the module {name} registers nothing; it should define at least one of {names}"
        )
    for registry, members in declared:
        if not isinstance(members, Mapping):
            raise RegistrationError(
                f"plugins: {name}.{registry.attribute} must map names to {registry.concept}s, it is a "
                f"{type(members).__name__}"
            )
    return declared
