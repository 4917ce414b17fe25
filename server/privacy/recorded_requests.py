"""Which recorded requests are of a shopper."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from foundation.telemetry.logs.user_ids import UserIds
from server.recording.settings import RecordingSettings


def request_of(user_id: str, settings: RecordingSettings) -> Callable[[bytes], bool]:
    """Whether a line of a recording names the shopper, by id or by the pseudonym that `settings.salt` makes.

    A line of reported events names the shopper of each.
    """
    names = [user_id, *([UserIds(settings.salt)(user_id)] if settings.salt else [])]
    wanted = [b'"user_id":' + msgspec.json.encode(name) for name in names]
    return lambda line: any(name in line for name in wanted)
