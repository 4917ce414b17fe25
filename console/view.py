"""From a page's values to HTML: the templates, what every page needs, and forms that came back."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from console import charts, words
from console.access import Access, Session
from console.audit import AuditLog
from console.figures import Figures
from console.flash import Messages
from console.guard import session_of
from console.router_client import RouterClient, RouterProblem

HERE = Path(__file__).resolve().parent
PAGES = (
    ("/", "Storefront"),
    ("/answered", "Answered"),
    ("/logged", "Feature log"),
    ("/why", "Why"),
    ("/trace", "Trace"),
    ("/items", "Items"),
    ("/rules", "Rules"),
    ("/scenes", "Scenes"),
    ("/rollouts", "Rollouts"),
    ("/experiments", "Experiments"),
    ("/health", "Health"),
    ("/evaluation", "Evaluation"),
)
TOLD = "told"
"""The parameter of an address that names a message (`console.flash`)."""
MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 200


class FormRefused(Exception):
    """A form that is too large, of another page or of somebody who may not; `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        """`message` for a person."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Console:
    """What every page uses."""

    client: RouterClient
    access: Access
    audit: AuditLog
    figures: Figures
    templates: Environment
    messages: Messages = field(default_factory=Messages)
    now: Callable[[], float] = time.time

    async def render(
        self,
        request: Request,
        template: str,
        title: str,
        problem: RouterProblem | FormRefused | None = None,
        status: int = 200,
        **values: Any,
    ) -> HTMLResponse:
        """A page; `problem`: why it has less than it should."""
        session = session_of(request.scope)
        text = self.templates.get_template(template).render(
            title=title,
            path=request.url.path,
            pages=PAGES,
            session=session,
            csrf=self.access.csrf(session) if session else "",
            asks=self.access.asks,
            router=self.client.router.address,
            state=await self.state(),
            problem=problem,
            told=self.messages.find(session.key, request.query_params.get(TOLD, "")) if session else "",
            now=self.now(),
            here=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            **values,
        )
        return HTMLResponse(text, status)

    def back(self, session: Session, path: str, query: Mapping[str, str], told: str = "") -> RedirectResponse:
        """To a page after a change, which shows `told`, what came of it."""
        key = {TOLD: self.messages.keep(session.key, told)} if told else {}
        asked = urlencode({**query, **key})
        return RedirectResponse(f"{path}?{asked}" if asked else path, 303)

    async def state(self) -> dict[str, Any]:
        """Whether the router answers, and what it serves."""
        try:
            versions = await self.client.versions()
        except RouterProblem as error:
            if error.is_older:
                return {"kind": "older", "text": "older release", "detail": str(error)}
            kind = "down" if error.is_down else "refused"
            return {"kind": kind, "text": "no answer" if error.is_down else "refused", "detail": str(error)}
        models = ", ".join(f"{name} {version}" for name, version in sorted(versions.models.items()))
        return {
            "kind": "up",
            "text": "serving",
            "detail": f"snapshot {versions.snapshot_id} · {models}",
            "versions": versions,
        }

    async def form(
        self, request: Request, most_bytes: int = MAX_FORM_BYTES, most_fields: int = MAX_FIELDS
    ) -> tuple[Session, dict[str, str]]:
        """The fields of a form of an operator's own page. Raises `FormRefused`."""
        session = session_of(request.scope)
        fields = await form_fields(request, most_bytes, most_fields)
        if session is None or not self.access.is_own_form(session, fields.pop("csrf", "")):
            raise FormRefused("This form is of another session; load the page again.", 403)
        if not session.may_change:
            raise FormRefused(f"{session.name} may look and not change anything.", 403)
        return session, fields


async def form_fields(
    request: Request, most_bytes: int = MAX_FORM_BYTES, most_fields: int = MAX_FIELDS
) -> dict[str, str]:
    """The fields of an urlencoded form. Raises `FormRefused` where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise FormRefused("The form is too large.", 413)
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=most_fields)
    except ValueError as error:
        raise FormRefused("The form has too many fields.", 413) from error
    return dict(pairs)


def templates() -> Environment:
    """The templates; everything they show is escaped, and a value that a page did not give is an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "significant": words.significant,
        "percent": words.percent,
        "ms": words.milliseconds,
        "clip": words.clipped,
        "moment": words.moment,
        "span": words.span,
        "hue": words.hue,
        "initials": words.initials,
        "setting": words.setting,
        "coded": words.coded,
        "clip_line": words.clipped_line,
        "clip_lines": words.clipped_lines,
        "query": urlencode,
    }
    environment.globals |= {"title_of": words.title_of, "ago": words.ago, "charts": charts}
    return environment
