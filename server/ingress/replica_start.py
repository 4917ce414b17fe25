"""What every replica does before it starts its service, behind either ingress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foundation.storage.private_files import keep_files_private
from server.ingress.crash_log import record_crashes
from server.ingress.replica_log import log_to_file
from server.plugins import load
from server.settings import RouterSettings


def begin_replica(settings: dict[str, Any], plugins: Sequence[str]) -> RouterSettings:
    """The parsed settings, once plug-ins are loaded, files are private and logs are written.

    Args:
        settings: `RouterSettings` as plain JSON values, since replicas are other processes.
        plugins: modules to load before, as in the setting `plugins`.
    """
    keep_files_private()
    load(plugins)
    parsed = RouterSettings.model_validate(settings)
    log_to_file(parsed.request_log)
    record_crashes(parsed.request_log.folder)
    return parsed
