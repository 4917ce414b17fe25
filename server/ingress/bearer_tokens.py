"""Who may call: bearer tokens (RFC 6750) in the metadata of a call."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import grpc

from server.ingress_settings import TokenSettings
from server.rpc.methods import HEALTH_SERVICE

logger = logging.getLogger(__name__)

UNAUTHENTICATED_DETAILS = "send metadata authorization: Bearer <token> with a token this router accepts"
MIN_TOKEN_BYTES = 16
_SCHEME = "bearer "
_LOOK_EVERY_S = 1.0
_REFLECTION_PREFIX = "/grpc.reflection."

Metadata = Iterable[tuple[str, str | bytes]]


class TokenError(Exception):
    """The accepted tokens cannot be read; the message names the place, never the tokens."""


class BearerTokens:
    """The accepted tokens, kept as hashes; a changed file is read again."""

    def __init__(
        self,
        settings: TokenSettings,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds. Raises `TokenError` where a source is named and gives no token."""
        self._settings = settings
        self._clock = clock
        self._fixed = _from_environment(settings.environment, environment) if settings.environment else ()
        self._changed: tuple[int, int] | None = None
        self._told = ""
        self._from_file: tuple[bytes, ...] = ()
        if settings.file is not None:
            self._read()
        self._looked = clock()

    @property
    def needed(self) -> bool:
        """Whether callers must send one at all."""
        return self._settings.file is not None or bool(self._settings.environment)

    def needed_for(self, path: str) -> bool:
        """Whether the method `path`, as /package.Service/Method, needs one."""
        if path.startswith(f"/{HEALTH_SERVICE}/"):
            return self.needed and self._settings.health_needs_one
        if path.startswith(_REFLECTION_PREFIX):
            return self.needed and self._settings.reflection_needs_one
        return self.needed

    def accepts(self, metadata: Metadata | None) -> bool:
        """Whether a call with this metadata carries an accepted token.

        Compares every hash in constant time, so that the time taken reveals nothing.
        """
        self._look()
        sent = _sent(metadata or ())
        if sent is None:
            return False
        found = False
        for accepted in (*self._fixed, *self._from_file):
            found |= hmac.compare_digest(sent, accepted)
        return found

    def _look(self) -> None:
        if self._settings.file is None or self._clock() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = self._clock()
        try:
            self._read()
        except TokenError as error:
            # Those read last stay: an edit under way must not lock every caller out.
            if str(error) != self._told:
                self._told = str(error)
                logger.error("the tokens stay as they were: %s", error)

    def _read(self) -> None:
        path = self._settings.file
        assert path is not None
        try:
            status = path.stat()
            changed = (status.st_mtime_ns, status.st_ino)
            if changed == self._changed:
                return
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"ingress.tokens.file {path} cannot be read: {error}") from error
        words = [line.strip() for line in lines]
        self._from_file = _hashes(
            [word for word in words if word and not word.startswith("#")], f"ingress.tokens.file {path}"
        )
        self._changed = changed
        self._told = ""


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Ends calls without an accepted token as UNAUTHENTICATED, before their request is read."""

    def __init__(self, tokens: BearerTokens) -> None:
        """`tokens`: the accepted ones."""
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], object],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)  # type: ignore[misc]
        # A method that does not exist has no handler, and is UNIMPLEMENTED to everyone.
        if handler is None or not self._tokens.needed_for(handler_call_details.method):
            return handler
        if self._tokens.accepts(handler_call_details.invocation_metadata):
            return handler
        return _refusing(handler)


def _refusing(handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    """A handler of the same kind that refuses every call."""

    async def unary(request: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, UNAUTHENTICATED_DETAILS)

    async def stream(request: object, context: grpc.aio.ServicerContext) -> AsyncIterator[object]:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, UNAUTHENTICATED_DETAILS)
        yield None

    kinds = {
        (False, False): lambda: grpc.unary_unary_rpc_method_handler(unary),
        (False, True): lambda: grpc.unary_stream_rpc_method_handler(stream),
        (True, False): lambda: grpc.stream_unary_rpc_method_handler(unary),
        (True, True): lambda: grpc.stream_stream_rpc_method_handler(stream),
    }
    return kinds[handler.request_streaming, handler.response_streaming]()


def _from_environment(name: str, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    words = [word.strip() for word in environment.get(name, "").split(",")]
    return _hashes([word for word in words if word], f"the environment variable {name}")


def _hashes(tokens: list[str], source: str) -> tuple[bytes, ...]:
    if not tokens:
        raise TokenError(f"{source} holds no token; put one in, or let ingress.tokens name no source")
    if min(len(token.encode()) for token in tokens) < MIN_TOKEN_BYTES:
        raise TokenError(
            f"{source} holds a token of fewer than {MIN_TOKEN_BYTES} bytes; take openssl rand -hex 32"
        )
    return tuple(_hash(token) for token in tokens)


def _sent(metadata: Metadata) -> bytes | None:
    for key, value in metadata:
        if key == "authorization":
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            if text[: len(_SCHEME)].lower() == _SCHEME:
                return _hash(text[len(_SCHEME) :].strip())
    return None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
