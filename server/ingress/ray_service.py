"""The router as a Ray Serve application by import path, for clusters that deploy it themselves (KubeRay).

import_path: server.ingress.ray_service:application, with `configuration` among its arguments. The cluster
must be started with the environment that `server.ingress.ray_environment.serve_environment` returns.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from router.scenes.problems import SettingsError, explain
from router.scenes.yaml_tree import parse
from server.ingress.application import application_of
from server.plugins import load
from server.settings import RouterSettings, plugins_of


def application(arguments: dict[str, str]) -> Any:
    """The application.

    Args:
        arguments: `configuration` is the path of a shopfront.yaml, of which `plugins` and `router` are read.
            Its paths must be absolute: no workspace is known here.

    Raises:
        SettingsError: a key of the file is wrong.
        RegistrationError: a plug-in cannot be loaded.
    """
    settings, plugins = router_settings(Path(arguments["configuration"]))
    return application_of(settings.model_dump(mode="json"), plugins)


def router_settings(path: Path) -> tuple[RouterSettings, tuple[str, ...]]:
    """Section `router` of a configuration file, with a salt that all replicas share, and its `plugins`.

    The plug-ins are loaded in this process.

    Raises:
        SettingsError: naming every key that is wrong.
        RegistrationError: a plug-in cannot be loaded.
        OSError: the file cannot be read.
    """
    given = parse(path.read_text(encoding="utf-8")) or {}
    section = given.get("router", {}) if isinstance(given, dict) else given
    plugins = plugins_of(given, str(path))
    load(plugins)
    try:
        settings = RouterSettings.model_validate(section)
    except ValidationError as error:
        raise SettingsError(
            str(path), explain(error, RouterSettings, lambda key: ("router", *key))
        ) from error
    log = settings.request_log
    salted = log.model_copy(update={"salt": log.salt or secrets.token_hex(16)})
    return settings.model_copy(update={"request_log": salted}), plugins
