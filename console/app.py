"""The console as an ASGI application, and its server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console.access import Access
from console.audit import AuditLog
from console.figures import Figures
from console.guard import Guard, set_cookie
from console.pages import (
    crowd,
    evaluation,
    experiment_edits,
    experiments,
    explained,
    health,
    items,
    logged,
    photo,
    picture,
    rollouts,
    rules,
    scene_edits,
    scenes,
    shopper_acts,
    storefront,
)
from console.router_client import RouterClient
from console.settings import ConsoleSettings
from console.view import HERE, Console, FormRefused, form_fields, templates
from server.ingress.client_channel import RouterAddress
from server.ingress_settings import split_address

Page = Callable[[Request, Console], Awaitable[Response]]


def application(router: RouterAddress, settings: ConsoleSettings) -> Guard:
    """The application over one router.

    Raises `AccessError` or OSError where the file of tokens or the audit log cannot be used.
    """
    access, audit = Access(settings.tokens_file), AuditLog(settings.audit)

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        client = RouterClient(router, settings.timeout_s)
        figures = Figures(client, settings.sample_s)
        app.state.console = Console(client, access, audit, figures, templates())
        reading = asyncio.create_task(figures.run())
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
            await client.close()

    pages: list[tuple[str, Page, str]] = [
        ("/", storefront.show, "GET"),
        ("/new", storefront.newcomer, "GET"),
        ("/crowd", crowd.show, "GET"),
        ("/picture", picture.show, "GET"),
        ("/events", shopper_acts.act, "POST"),
        ("/answered", storefront.answered, "GET"),
        ("/logged", logged.show, "GET"),
        ("/why", explained.why, "GET"),
        ("/trace", explained.trace, "GET"),
        ("/items", items.search, "GET"),
        ("/item", items.one, "GET"),
        ("/photo", photo.ask, "GET"),
        ("/photo", photo.search, "POST"),
        ("/rules", rules.show, "GET"),
        ("/rules", rules.act, "POST"),
        ("/scenes", scenes.show, "GET"),
        ("/scenes/preview", scene_edits.preview, "POST"),
        ("/scenes/apply", scene_edits.apply, "POST"),
        ("/experiments", experiments.show, "GET"),
        ("/experiments", experiment_edits.act, "POST"),
        ("/experiments/preview", experiment_edits.preview, "POST"),
        ("/rollouts", rollouts.show, "GET"),
        ("/rollouts", rollouts.act, "POST"),
        ("/health", health.show, "GET"),
        ("/evaluation", evaluation.show, "GET"),
        ("/login", _ask_for_token, "GET"),
        ("/login", _login, "POST"),
        ("/status", _status, "GET"),
    ]
    routes = [Route(path, _endpoint(page), methods=[method]) for path, page, method in pages]
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=HERE / "static"))], lifespan=running
    )
    host, _ = split_address(settings.address)
    return Guard(app, access, {"localhost", "127.0.0.1", "::1", host.strip("[]").lower(), *settings.hosts})


def serve(router: RouterAddress, settings: ConsoleSettings) -> None:
    """Serves browsers until the process is asked to end; raises as `application` does."""
    host, port = split_address(settings.address)
    uvicorn.run(
        application(router, settings),
        host=host.strip("[]"),
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def _endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await page(request, request.app.state.console)
        except FormRefused as error:
            return PlainTextResponse(str(error), error.status)

    return answer


async def _status(request: Request, console: Console) -> Response:
    state = await console.state()
    content = {key: state[key] for key in ("kind", "text", "detail")}
    return Response(
        json.dumps(content | {"router": console.client.router.address}), media_type="application/json"
    )


async def _ask_for_token(request: Request, console: Console) -> Response:
    return await console.render(request, "login.html", "Who are you?", said="")


async def _login(request: Request, console: Console) -> Response:
    if console.access.is_closed:
        said = "Too many wrong tokens; wait a minute."
        return await console.render(request, "login.html", "Who are you?", status=429, said=said)
    session = console.access.login((await form_fields(request)).get("token", ""))
    if session is None:
        said = "This token is not accepted."
        return await console.render(request, "login.html", "Who are you?", status=403, said=said)
    response = RedirectResponse("/", 303)
    set_cookie(response, console.access.cookie(session), secure=request.url.scheme == "https")
    return response
