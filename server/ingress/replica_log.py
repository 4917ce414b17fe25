"""Where a replica's log goes: one file for all replicas, since Ray's own logs vanish with its session."""

from __future__ import annotations

import logging
import secrets

from foundation.telemetry.logs.json_lines import JsonLines
from foundation.telemetry.logs.rotation import RotatingFile
from foundation.telemetry.logs.user_ids import UserIds
from router.service.settings import RequestLogSettings

LOG_NAME = "replicas.log"


def log_to_file(settings: RequestLogSettings) -> None:
    """Appends JSON lines of everything logged from `settings.level` up to `<folder>/replicas.log`.

    A file of `max_file_mib` is renamed and begun anew by whichever replica finds it so; one that was renamed,
    also by another program, is opened anew.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFile(settings.folder / LOG_NAME, settings.max_file_mib, settings.kept_files)
    handler.setFormatter(JsonLines(user_ids_of(settings)))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(settings.level)


def user_ids_of(settings: RequestLogSettings) -> UserIds:
    """How logs of these settings write shoppers' ids; without a salt, as in no other process."""
    return UserIds(settings.salt or secrets.token_hex(16), settings.user_ids)
