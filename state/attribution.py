"""The attribution token: what an answer was made of, carried by the caller and sent back with events.

A token is a msgpack array of the fields, sealed by `state.token_seal`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from state.attribution_scope import filter_has, shopper_tag
from state.errors import AttributionError, TokenError
from state.token_seal import TokenSeal

MAX_TOKEN_BYTES = 512
MAX_AHEAD_S = 300

_SECRET_BYTES = (16, 64)


class Attribution(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an answer was made of, for whom, and of which items.

    `issued_at` is in unix seconds; `arms` is experiment → arm; `shopper` and `items` are as
    `state.attribution_scope` makes them, and empty where they are not known; `weather` names the alerts in
    force in the shopper's city, separated by commas.
    """

    request_id: str
    scene: str
    snapshot_id: str
    model_name: str
    model_version: str
    arms: dict[str, str]
    issued_at: int
    shopper: bytes = b""
    items: bytes = b""
    weather: str = ""

    def outside(self, user_id: str, item_id: str) -> Literal["", "shopper", "item"]:
        """What of an event is not of the answer; "" where both are, or where that is not known."""
        if self.shopper and self.shopper != shopper_tag(user_id):
            return "shopper"
        return "item" if self.items and not filter_has(self.items, item_id) else ""


def logged_shopper(token: str) -> bytes:
    """The `shopper` of a token this shop has logged, unchecked; b"" where it has none or cannot be read."""
    try:
        return _DECODER.decode(TokenSeal.unverified(token)).shopper
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return b""


_DECODER = msgspec.msgpack.Decoder(Attribution)


class AttributionSettings(BaseModel):
    """Section `attribution` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret_variable: str = Field(
        default="SHOPFRONT_ATTRIBUTION_SECRET",
        min_length=1,
        description="Environment variable with the secrets that sign tokens, 16 to 64 bytes each, separated "
        "by commas. The first signs and all are accepted, so a new one is written in front of the old. "
        "Unset or empty: tokens are checked for damage only.",
    )
    valid_days: float = Field(default=7.0, gt=0, description="Days after which a token is expired.")


class AttributionCodec:
    """Writes and reads tokens with one set of secrets."""

    def __init__(self, secrets: Sequence[bytes] = (), valid_s: float = 7 * 86_400) -> None:
        """`secrets`: the first signs, each is accepted; none: tokens carry a CRC-32. `valid_s` in seconds.

        Raises:
            ValueError: a secret is shorter than 16 or longer than 64 bytes.
        """
        shortest, longest = _SECRET_BYTES
        for position, secret in enumerate(secrets):
            if not shortest <= len(secret) <= longest:
                raise ValueError(
                    f"attribution secret {position + 1} has {len(secret)} bytes; {shortest} to {longest} are "
                    "allowed"
                )
        self.seal = TokenSeal(secrets)
        self._valid_s = valid_s
        self._encoder = msgspec.msgpack.Encoder()

    @classmethod
    def from_settings(
        cls, settings: AttributionSettings, environ: Mapping[str, str] = os.environ
    ) -> "AttributionCodec":
        """The codec with the secrets of the settings' environment variable; errors as in the constructor."""
        named = environ.get(settings.secret_variable, "").split(",")
        secrets = [secret.strip().encode() for secret in named if secret.strip()]
        return cls(secrets, settings.valid_days * 86_400)

    def encode(self, attribution: Attribution) -> str:
        """The token, at most 512 ASCII characters; without `items` where they do not fit.

        Raises:
            AttributionError: the fields do not fit; shorten the names of experiments and arms.
        """
        token = self._token(attribution)
        if len(token) > MAX_TOKEN_BYTES and attribution.items:
            token = self._token(msgspec.structs.replace(attribution, items=b""))
        if len(token) > MAX_TOKEN_BYTES:
            raise AttributionError(
                f"the attribution token would have {len(token)} of at most {MAX_TOKEN_BYTES} bytes; shorten "
                f"the names of the {len(attribution.arms)} experiments and their arms"
            )
        return token

    def _token(self, attribution: Attribution) -> str:
        return self.seal.seal(self._encoder.encode(attribution))

    def decode(self, token: str) -> Attribution:
        """The fields of a token, however old it is.

        Raises:
            AttributionError: the token is malformed, or not signed with one of the secrets.
        """
        try:
            body = self.seal.open(token, MAX_TOKEN_BYTES)
        except TokenError as error:
            raise AttributionError(str(error), error.kind) from None
        try:
            return _DECODER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise AttributionError("its fields are not those of a token") from None

    def check_age(self, attribution: Attribution, now: float) -> None:
        """Accepts a token issued within the validity before unix second `now`.

        Raises:
            AttributionError: it is expired, or issued more than 5 minutes ahead of `now`.
        """
        age = now - attribution.issued_at
        if age > self._valid_s:
            raise AttributionError(
                f"it was issued {age / 86_400:.1f} days ago; tokens are valid for "
                f"{self._valid_s / 86_400:g} days",
                "expired",
            )
        if age < -MAX_AHEAD_S:
            raise AttributionError(f"it was issued {-age:.0f} s ahead of the server's clock", "ahead")
