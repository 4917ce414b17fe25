"""Messages about what came of a change, kept by the console until the page after it shows them."""

from __future__ import annotations

import secrets
from collections import OrderedDict

MOST_MESSAGES = 500
MOST_CHARACTERS = 2_000


class Messages:
    """An address names a message by a key that nobody can guess, and only its own session is shown it.

    So a link made by somebody else shows nothing. Kept are the newest `MOST_MESSAGES`; they end with the
    process. A page that is loaded again shows its message again.
    """

    def __init__(self) -> None:
        """Keeps none yet."""
        self._kept: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def keep(self, session: str, text: str) -> str:
        """The key of a message, which is cut at `MOST_CHARACTERS`. `session`: key of whose it is."""
        key = secrets.token_urlsafe(12)
        self._kept[key] = (session, text[:MOST_CHARACTERS])
        if len(self._kept) > MOST_MESSAGES:
            self._kept.popitem(last=False)
        return key

    def find(self, session: str, key: str) -> str:
        """The message of a key, "" where there is none or it is of another session."""
        owner, text = self._kept.get(key, ("", ""))
        return text if owner == session else ""
