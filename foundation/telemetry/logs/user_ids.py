"""How shoppers' ids are written to logs and traces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Literal

UserIdMode = Literal["hashed", "clear", "omitted"]
OMITTED = "[user]"

_INDENT = " |+-"
"""What a traceback's line may begin with; groups of exceptions are drawn with the last three."""
_FRAME = re.compile(r'[ |+-]*File "[^"]*", line \d+')
_CONTEXT = 80
"""Characters before a number that may say what it is."""
_BEFORE_NUMBER = re.compile(
    r"(?:"
    # Fractions, versions and addresses: the rest of 3.11 or 127.0.0.1.
    r"\d\."
    # Ports: of an address, of a name with a dot, of a URL.
    r"|(?:\d|\]|\blocalhost|[\w-]\.[\w-]+|//[\w.-]+):"
    r"|\b(?:line|column|char|byte|position|port|pid|process|version|status|signal|[Ee]rrno) "
    r")\Z"
)
_AFTER_NUMBER = re.compile(r"\.\d| ?(?:%|(?:ms|s|seconds|bytes|KiB|MiB|GiB)\b)")


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
        """`text` with each whole word that is one of `user_ids` replaced.

        An id of digits alone may equal a number that is no id: a port, a line of a file, a duration. Such
        numbers are left as they are where their surroundings say what they are; others are replaced.
        """
        found = [user_id for user_id in user_ids if user_id and user_id in text]
        if not found or self.mode == "clear":
            return text
        # Longer ones first: one id may be the beginning of another.
        either = "|".join(re.escape(user_id) for user_id in sorted(found, key=len, reverse=True))

        def replaced(match: re.Match[str]) -> str:
            return match[0] if _is_another_number(match) else self(match[0]) or OMITTED

        return re.sub(rf"(?<!\w)(?:{either})(?!\w)", replaced, text)

    def without_in_traceback(self, text: str, user_ids: Iterable[str]) -> str:
        """A formatted traceback, its exceptions' messages as by `without`.

        Its frames (file, line, function, source) say where the program was and never for whom, and a frame
        with another line number leads to the wrong place.
        """
        user_ids = list(user_ids)
        parts: list[str] = []
        for is_frames, lines in groupby(text.splitlines(keepends=True), _FrameLines()):
            part = "".join(lines)
            parts.append(part if is_frames else self.without(part, user_ids))
        return "".join(parts)


class _FrameLines:
    """Says of each line of a traceback in turn whether it belongs to a frame."""

    def __init__(self) -> None:
        self._indent = -1

    def __call__(self, line: str) -> bool:
        indent = len(line) - len(line.lstrip(_INDENT))
        if _FRAME.match(line):
            self._indent = indent
            return True
        # The source of a frame, and the carets below it, are further in than the frame.
        if 0 <= self._indent < indent:
            return True
        self._indent = -1
        return False


def _is_another_number(match: re.Match[str]) -> bool:
    if not match[0].isdecimal():
        return False
    before, after = (
        match.string[max(0, match.start() - _CONTEXT) : match.start()],
        match.string[match.end() :],
    )
    return bool(_BEFORE_NUMBER.search(before) or _AFTER_NUMBER.match(after))
