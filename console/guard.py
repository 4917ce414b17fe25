"""What every request passes first: known hosts only, a session, and headers that keep other sites out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.access import SESSION_S, Access, Session

COOKIE = "shopfront_console"
LOGIN = "/login"
_HEADERS = {
    # Nothing inline and nothing from elsewhere: what a shop's title contains cannot run.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_OPEN = ("/static/", LOGIN)
_KEPT_BY_BROWSERS = {"/static/": "max-age=3600", "/picture": "private, max-age=86400"}
"""Beginning of the path → cache-control of answers that are the same for hours; others are not kept."""


class Guard:
    """Passes on requests of known hosts, pages of this console and somebody who may use it."""

    def __init__(self, app: ASGIApp, access: Access, hosts: Collection[str]) -> None:
        """`hosts`: names, without a port, by which browsers may call the console."""
        self._app = app
        self._access = access
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        send = _with_headers(send, scope["path"])
        refusal = self._refusal(scope, connection.headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        session = self._access.session(connection.cookies.get(COOKIE, ""))
        begun = session is None and not self._access.asks
        if begun:
            session = self._access.begin()
        if session is None and not scope["path"].startswith(_OPEN):
            await RedirectResponse(LOGIN, 303)(scope, receive, send)
            return
        scope.setdefault("state", {})["session"] = session
        if begun and session is not None:
            send = _with_cookie(send, self._access.cookie(session))
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in self._hosts:
            # Also a name of another site that was made to point here (DNS rebinding).
            return PlainTextResponse("This name is none of the console's; name it with --host.", 421)
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("The console takes changes from its own pages only.", 403)
        return None


def session_of(scope: Scope) -> Session | None:
    """Who sent the request."""
    session: Session | None = scope["state"]["session"]
    return session


def set_cookie(response: Response, value: str, *, secure: bool) -> None:
    """Gives the browser its session; no script can read it, and no other site can have it sent."""
    response.set_cookie(COOKIE, value, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)


def _with_headers(send: Send, path: str) -> Send:
    kept = next((how for begin, how in _KEPT_BY_BROWSERS.items() if path.startswith(begin)), "no-store")

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["cache-control"] = kept if message["status"] == 200 else "no-store"
        await send(message)

    return sending


def _with_cookie(send: Send, value: str) -> Callable[[Any], Awaitable[None]]:
    carrier = Response()
    set_cookie(carrier, value, secure=False)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", carrier.headers["set-cookie"])
        await send(message)

    return sending
