"""Seals bytes into text that callers carry, and opens it again where it is as it was issued.

A token is unpadded URL-safe base64 of: one byte of format, a tag, and the body. The tag is a 16-byte keyed
BLAKE2b (RFC 7693) where a secret is configured, so that a forged token is refused, and a CRC-32 where none
is, so that a damaged one is. A token sealed for one purpose is damaged for any other.
"""

import binascii
import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b

from state.errors import TokenError

_CHECKED = b"\x01"
_SIGNED = b"\x02"
_CRC_BYTES = 4
_MAC_BYTES = 16


class TokenSeal:
    """Seals with one set of secrets for one purpose."""

    def __init__(self, secrets: Sequence[bytes] = (), purpose: bytes = b"") -> None:
        """`secrets`: the first signs, each is accepted; none: a CRC-32. `purpose`: at most 16 bytes."""
        self._secrets = tuple(secrets)
        self._purpose = purpose

    def for_purpose(self, purpose: bytes) -> "TokenSeal":
        """The same secrets for another purpose."""
        return TokenSeal(self._secrets, purpose)

    def seal(self, body: bytes) -> str:
        """The token, ASCII."""
        if self._secrets:
            raw = _SIGNED + self._mac(self._secrets[0], body) + body
        else:
            raw = _CHECKED + self._crc(body) + body
        return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

    def open(self, token: str, most: int) -> bytes:
        """The body of a token of 1 to `most` characters.

        Raises:
            TokenError: the token is malformed, or not signed with one of the secrets.
        """
        if not 0 < len(token) <= most:
            raise TokenError(f"it has {len(token)} characters; 1 to {most} are expected")
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error):
            raise TokenError("it is not URL-safe base64") from None
        # Python's decoder skips foreign characters; what does not encode back was changed on its way.
        if urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != token:
            raise TokenError("it is not URL-safe base64 as it was issued")
        kind = raw[:1]
        if self._secrets:
            if kind != _SIGNED:
                raise TokenError("it is not a signed token", "forged")
            tag, body = raw[1 : 1 + _MAC_BYTES], raw[1 + _MAC_BYTES :]
            if not any(hmac.compare_digest(tag, self._mac(secret, body)) for secret in self._secrets):
                raise TokenError("its signature does not match", "forged")
            return body
        if kind != _CHECKED:
            raise TokenError("its format is not known here")
        tag, body = raw[1 : 1 + _CRC_BYTES], raw[1 + _CRC_BYTES :]
        if tag != self._crc(body):
            raise TokenError("its checksum does not match", "damaged")
        return body

    @staticmethod
    def unverified(token: str) -> bytes:
        """The body of a token whose secret may be unknown; b"" where it is no token.

        The token's author may have made it up: for reading what this shop has logged itself.
        """
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error):
            return b""
        return raw[1 + {_CHECKED: _CRC_BYTES, _SIGNED: _MAC_BYTES}.get(raw[:1], len(raw)) :]

    def _crc(self, body: bytes) -> bytes:
        return zlib.crc32(self._purpose + body).to_bytes(_CRC_BYTES, "big")

    def _mac(self, secret: bytes, body: bytes) -> bytes:
        return blake2b(body, key=secret, digest_size=_MAC_BYTES, person=self._purpose).digest()
