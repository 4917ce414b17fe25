"""How shoppers' ids are written to logs and traces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Literal

UserIdMode = Literal["hashed", "clear", "omitted"]
OMITTED = "[user]"


class UserIds:
    """What is written in the place of a shopper's id.

    hashed   a pseudonym: BLAKE2b (RFC 7693) keyed with the salt, 16 hexadecimal digits; the same salt gives
             the same pseudonym
    clear    the id itself
    omitted  nothing
    """

    def __init__(self, salt: str, mode: UserIdMode = "hashed") -> None:
        """`salt`: key of the pseudonyms; `mode` as in the class."""
        self._key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
        self.mode = mode

    def __call__(self, user_id: str) -> str:
        """The text for the id's field; empty for an anonymous shopper."""
        if not user_id or self.mode == "omitted":
            return ""
        if self.mode == "clear":
            return user_id
        return hashlib.blake2b(user_id.encode(), digest_size=8, key=self._key).hexdigest()

    def without(self, text: str, user_ids: Iterable[str]) -> str:
        """`text` with each whole word that is one of `user_ids` replaced."""
        found = [user_id for user_id in user_ids if user_id and user_id in text]
        if not found or self.mode == "clear":
            return text
        # Longer ones first: one id may be the beginning of another.
        either = "|".join(re.escape(user_id) for user_id in sorted(found, key=len, reverse=True))
        return re.sub(rf"(?<!\w)(?:{either})(?!\w)", lambda match: self(match[0]) or OMITTED, text)
