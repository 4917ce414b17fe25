"""Who may call: bearer tokens (RFC 6750) in the metadata of a call."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

import grpc

from server.ingress_settings import TokenSettings
from server.rpc.methods import HEALTH_SERVICE, method_table

logger = logging.getLogger(__name__)

UNAUTHENTICATED_DETAILS = "send metadata authorization: Bearer <token> with a token this router accepts"
OPERATORS_DETAILS = "this method is for operators, and the token that was sent is not one of theirs"
MIN_TOKEN_BYTES = 16
_SCHEME = "bearer "
_LOOK_EVERY_S = 1.0
_REFLECTION_PREFIX = "/grpc.reflection."

Metadata = Iterable[tuple[str, str | bytes]]


class TokenError(Exception):
    """The accepted tokens cannot be read; the message names the place, never the tokens."""


class _Accepted:
    """The tokens of one source, kept as hashes; a changed file is read again."""

    def __init__(
        self,
        key: str,
        file: Path | None,
        variable: str,
        environment: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self.named = file is not None or bool(variable)
        self._key = key
        self._file = file
        self._clock = clock
        self._fixed = _from_environment(variable, environment) if variable else ()
        self._changed: tuple[int, int] | None = None
        self._told = ""
        self._from_file: tuple[bytes, ...] = ()
        if file is not None:
            self._read(file)
        self._looked = clock()

    def has(self, sent: bytes) -> bool:
        """Whether the hash is that of an accepted token.

        Compares every hash in constant time, so that the time taken reveals nothing.
        """
        self._look()
        found = False
        for accepted in (*self._fixed, *self._from_file):
            found |= hmac.compare_digest(sent, accepted)
        return found

    def _look(self) -> None:
        if self._file is None or self._clock() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = self._clock()
        try:
            self._read(self._file)
        except TokenError as error:
            # Those read last stay: an edit under way must not lock every caller out.
            if str(error) != self._told:
                self._told = str(error)
                logger.error("the tokens stay as they were: %s", error)

    def _read(self, path: Path) -> None:
        try:
            status = path.stat()
            changed = (status.st_mtime_ns, status.st_ino)
            if changed == self._changed:
                return
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenError(f"{self._key} {path} cannot be read: {error}") from error
        words = [line.strip() for line in lines]
        self._from_file = _hashes(
            [word for word in words if word and not word.startswith("#")], f"{self._key} {path}"
        )
        self._changed = changed
        self._told = ""


class BearerTokens:
    """The accepted tokens of callers, and those of operators, who may call everything."""

    def __init__(
        self,
        settings: TokenSettings,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds. Raises `TokenError` where a source is named and gives no token."""
        self._settings = settings
        self._callers = _Accepted(
            "ingress.tokens.file", settings.file, settings.environment, environment, clock
        )
        self._operators = _Accepted(
            "ingress.tokens.operators_file",
            settings.operators_file,
            settings.operators_environment,
            environment,
            clock,
        )
        self._operators_paths = frozenset(
            method.path for method in method_table().values() if method.options.operators
        )

    @property
    def needed(self) -> bool:
        """Whether any method needs a token at all."""
        return self._callers.named or self._operators.named

    def needed_for(self, path: str) -> bool:
        """Whether the method `path`, as /package.Service/Method, needs one."""
        if path.startswith(f"/{HEALTH_SERVICE}/"):
            return self._callers.named and self._settings.health_needs_one
        if path.startswith(_REFLECTION_PREFIX):
            return self._callers.named and self._settings.reflection_needs_one
        return self._callers.named or self._is_for_operators(path)

    def accepts(self, metadata: Metadata | None) -> bool:
        """Whether a call with this metadata carries a token of a caller or of an operator."""
        sent = _sent(metadata or ())
        # Both are asked, so that the time taken does not tell which it is.
        return sent is not None and self._callers.has(sent) | self._operators.has(sent)

    def forbids(self, path: str, metadata: Metadata | None) -> bool:
        """Whether the method is for operators and the call's token, accepted otherwise, is of none."""
        if not self._is_for_operators(path):
            return False
        sent = _sent(metadata or ())
        return sent is None or not self._operators.has(sent)

    def _is_for_operators(self, path: str) -> bool:
        return self._operators.named and path in self._operators_paths


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Ends calls without an accepted token as UNAUTHENTICATED, before their request is read.

    Calls for operators with a token that is not one of theirs end as PERMISSION_DENIED.
    """

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
        metadata = handler_call_details.invocation_metadata
        if not self._tokens.accepts(metadata):
            return _refusing(handler, grpc.StatusCode.UNAUTHENTICATED, UNAUTHENTICATED_DETAILS)
        if self._tokens.forbids(handler_call_details.method, metadata):
            return _refusing(handler, grpc.StatusCode.PERMISSION_DENIED, OPERATORS_DETAILS)
        return handler


def _refusing(handler: grpc.RpcMethodHandler, code: grpc.StatusCode, details: str) -> grpc.RpcMethodHandler:
    """A handler of the same kind that refuses every call."""

    async def unary(request: object, context: grpc.aio.ServicerContext) -> None:
        await context.abort(code, details)

    async def stream(request: object, context: grpc.aio.ServicerContext) -> AsyncIterator[object]:
        await context.abort(code, details)
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
