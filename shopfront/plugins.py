"""Loads a shop's plug-ins in the processes of the command line.

What only building needs is imported where something is built: a program that serves loads neither polars nor
torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.sample_rules.registry import SAMPLE_RULES
from ingest.cleaning.rules import RULES
from registration.plugins import load_plugins
from registration.registry import Registry
from server import plugins as serving_plugins

_ATTRIBUTES = (
    *(registry.attribute for registry in serving_plugins.REGISTRIES),
    *serving_plugins.OFFLINE_ATTRIBUTES,
)


def load(modules: Sequence[str]) -> None:
    """Imports each module and registers what sections of the settings come from, and what serving uses.

    Args:
        modules: dotted names, as in the setting `plugins`.

    Raises:
        RegistrationError: as `server.plugins.load`.
    """
    serving_plugins.load(modules)
    load_plugins(modules, (RULES, SAMPLE_RULES), elsewhere=_ATTRIBUTES)


def load_for_building(modules: Sequence[str]) -> None:
    """Registers what the modules declare for building alone; `load` comes before.

    Args:
        modules: dotted names, as in the setting `plugins`.

    Raises:
        RegistrationError: a registration contradicts another one.
    """
    if modules:
        load_plugins(modules, building_registries(), elsewhere=_ATTRIBUTES)


def building_registries() -> tuple[Registry[Any], ...]:
    """The registries that only building uses; imports polars and torch."""
    from exporters.formats import REWRITES
    from ingest.importers.registry import IMPORTERS

    return (IMPORTERS, REWRITES)
