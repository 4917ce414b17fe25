"""Puts a process's recorder together from settings."""

from __future__ import annotations

import os
import random
import secrets

from foundation.telemetry.logs.user_ids import UserIds
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from server.recording.recording_folder import RecordingFolder
from server.recording.recording_metrics import RecordingMetrics
from server.recording.request_recorder import RequestRecorder
from server.recording.settings import RecordingSettings


def begin_recording(settings: RecordingSettings, metrics: ProcessMetrics) -> RequestRecorder | None:
    """A recorder at work, None where requests are not recorded. A fresh salt is taken where none is set."""
    if not settings.enabled:
        return None
    salted = settings.model_copy(update={"salt": settings.salt or secrets.token_hex(16)})
    return RequestRecorder(
        salted,
        RecordingFolder(salted, UserIds(salted.salt)),
        metrics.group(RecordingMetrics).observe,
        # Replicas must not draw the same numbers.
        random.Random(f"{salted.salt} {os.getpid()}"),
    )
