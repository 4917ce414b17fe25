"""Loads a shop's plug-ins into the registries that serving processes use.

Every process that reads settings loads them first, since sections of the settings come from registries.
Settings of the serving side do not contain the list: it is passed next to them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from models.registry import MODELS
from recall.registry import CHANNELS
from registration.plugins import VARIABLE, load_plugins
from registration.registry import Registry
from router.filters.registry import FILTERS
from router.fusion.registry import FUSIONS
from router.page.registry import PAGE_RERANKERS
from router.query_features.registry import QUERY_FEATURES
from router.ranking.registry import MERGES, SCORERS
from router.registrations import check_registrations
from router.rerank.registry import RERANKERS
from server.metric_groups import METRIC_GROUPS
from server.rpc.methods import method_table
from server.rpc.registry import SERVICES
from snapshot.item_columns import ITEM_COLUMNS

REGISTRIES: tuple[Registry[Any], ...] = (
    ITEM_COLUMNS,
    MODELS,
    CHANNELS,
    QUERY_FEATURES,
    FILTERS,
    FUSIONS,
    RERANKERS,
    PAGE_RERANKERS,
    SCORERS,
    MERGES,
    SERVICES,
    METRIC_GROUPS,
)
"""What a plug-in may extend and a serving process uses."""
OFFLINE_ATTRIBUTES = ("RULES", "SAMPLE_RULES", "IMPORTERS", "REWRITES")
"""Registries that only building uses (`shopfront.plugins`); serving does not import them."""


def load(modules: Sequence[str]) -> None:
    """Imports each module and registers what it declares for serving; loaded ones are not loaded again.

    Modules may lie in the folder the process was started in, on PYTHONPATH, or be installed.

    Args:
        modules: dotted names, as in the setting `plugins`.

    Raises:
        RegistrationError: a module cannot be imported or declares nothing, or a registration contradicts
            another one; nothing of `modules` is registered then.
    """
    if not modules:
        return
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
    try:
        load_plugins(modules, REGISTRIES, elsewhere=OFFLINE_ATTRIBUTES)
        check_registrations()
        method_table()
    except Exception:
        unload(modules)
        raise


def unload(modules: Sequence[str]) -> None:
    """Forgets what the modules registered."""
    for registry in REGISTRIES:
        for module in modules:
            registry.remove(module)


def load_from_environment() -> None:
    """`load`, of the modules that `SHOPFRONT_PLUGINS` names."""
    load(modules_of(os.environ.get(VARIABLE, "")))


def plugins_environment(modules: Sequence[str]) -> dict[str, str]:
    """Environment with which a process and its children import and load the same modules as this one.

    Entries of `sys.path` that name the working folder are passed on as its absolute path.
    """
    if not modules:
        return {}
    given = os.environ.get("PYTHONPATH", "")
    folders = [os.path.abspath(folder) for folder in given.split(os.pathsep) if folder]
    if os.getcwd() not in folders:
        folders.append(os.getcwd())
    return {VARIABLE: ",".join(modules), "PYTHONPATH": os.pathsep.join(folders)}


def modules_of(listed: str) -> tuple[str, ...]:
    """The modules of a comma-separated list; none where it is empty."""
    return tuple(name.strip() for name in listed.split(",") if name.strip())
