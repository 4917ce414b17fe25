"""Who uses the console: tokens, roles, signed sessions, and proof that a change comes from its own pages."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MIN_TOKEN_CHARACTERS = 16
SESSION_S = 12 * 3_600
_FAILURES = 10
_WINDOW_S = 60.0

Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "operator")


class AccessError(Exception):
    """The file of tokens cannot be used; the message names the line, never a token."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who uses the console. `key`: names the session in its cookie."""

    role: Role
    name: str
    key: str

    @property
    def may_change(self) -> bool:
        """Whether they may report events and change rollouts."""
        return self.role == "operator"


@dataclass(frozen=True, slots=True)
class _Known:
    hashed: bytes
    role: Role
    name: str


class Access:
    """Sessions of one console; they end with its process."""

    def __init__(self, tokens_file: Path | None, clock: Callable[[], float] = time.time) -> None:
        """`clock`: unix seconds. Raises `AccessError` where the file cannot be used."""
        self._known = None if tokens_file is None else _read(tokens_file)
        self._secret = secrets.token_bytes(32)
        self._clock = clock
        self._failures: list[float] = []

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self._known is not None

    def login(self, token: str) -> Session | None:
        """The session of a token, None where it is none; every hash is compared, in constant time."""
        sent, found = _hash(token), None
        for known in self._known or ():
            if hmac.compare_digest(sent, known.hashed):
                found = known
        if found is None:
            self._failures.append(self._clock())
            return None
        return Session(found.role, found.name, secrets.token_hex(16))

    @property
    def is_closed(self) -> bool:
        """Whether so many wrong tokens came within a minute that none is looked at for now."""
        now = self._clock()
        # A clock that was set back must not keep the console closed until it has caught up.
        self._failures = [at for at in self._failures if 0 <= now - at < _WINDOW_S][-_FAILURES:]
        return len(self._failures) >= _FAILURES

    def begin(self) -> Session:
        """A session for a loopback address that asks for no token."""
        return Session("operator", _own_name(), secrets.token_hex(16))

    def cookie(self, session: Session) -> str:
        """The session as a signed value."""
        until = int(self._clock()) + SESSION_S
        text = f"{session.role}|{session.name}|{session.key}|{until}"
        return f"{text.encode().hex()}.{self._sign(text)}"

    def session(self, cookie: str) -> Session | None:
        """The session of a value that `cookie` made and that has not run out."""
        coded, _, signature = cookie.partition(".")
        try:
            text = bytes.fromhex(coded).decode()
        except ValueError:
            return None
        if not hmac.compare_digest(self._sign(text).encode(), signature.encode("utf-8", "surrogatepass")):
            return None
        role, name, key, until = text.split("|")
        if self._clock() > int(until):
            return None
        return Session("operator" if role == "operator" else "viewer", name, key)

    def csrf(self, session: Session) -> str:
        """What forms of this session send, and no other page can know."""
        return self._sign(f"csrf|{session.key}")

    def is_own_form(self, session: Session, sent: str) -> bool:
        """Whether a form of this session's pages was sent."""
        return hmac.compare_digest(self.csrf(session).encode(), sent.encode())

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def _read(path: Path) -> tuple[_Known, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"console.tokens_file {path} cannot be read: {error}") from error
    known: list[_Known] = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        role = next((each for each in ROLES if each == words[0]), None)
        if len(words) != 3 or role is None or "|" in words[1]:
            raise AccessError(
                f"console.tokens_file {path}, line {number}: expected a role (viewer or operator), a name "
                "and a token"
            )
        if len(words[2]) < MIN_TOKEN_CHARACTERS:
            raise AccessError(
                f"console.tokens_file {path}, line {number}: the token has fewer than "
                f"{MIN_TOKEN_CHARACTERS} characters; take openssl rand -hex 32"
            )
        known.append(_Known(_hash(words[2]), role, words[1]))
    if not known:
        raise AccessError(f"console.tokens_file {path} names nobody")
    return tuple(known)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
