"""ghz's call templates: the part of Go's text/template that load tests use.

`{{.Field}}` and `{{function argument …}}`, nothing else: no pipelines, conditions, loops or variables. What
is not known is refused when the template is read, before a request is sent.
"""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\S+')
_LETTERS = string.ascii_letters + string.digits
_SHORTEST, _LONGEST = 2, 16


@dataclass(frozen=True, slots=True)
class CallNames:
    """What a template may say about the method that is called."""

    full_name: str
    method: str
    service: str
    input: str
    output: str
    client_streaming: bool
    server_streaming: bool


@dataclass(frozen=True, slots=True)
class CallContext:
    """One request: its number from 0, its worker, the wall clock in ns since 1970, and a source of
    randomness.
    """

    names: CallNames
    number: int
    worker: str
    now_ns: int
    random: random.Random


def _new_uuid(context: CallContext) -> str:
    return str(uuid.UUID(int=context.random.getrandbits(128), version=4))


_FIELDS: dict[str, Callable[[CallContext], object]] = {
    "WorkerID": lambda context: context.worker,
    "RequestNumber": lambda context: context.number,
    "FullyQualifiedName": lambda context: context.names.full_name,
    "MethodName": lambda context: context.names.method,
    "ServiceName": lambda context: context.names.service,
    "InputName": lambda context: context.names.input,
    "OutputName": lambda context: context.names.output,
    "IsClientStreaming": lambda context: str(context.names.client_streaming).lower(),
    "IsServerStreaming": lambda context: str(context.names.server_streaming).lower(),
    "Timestamp": lambda context: datetime.fromtimestamp(context.now_ns // 10**9, UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    ),
    "TimestampUnix": lambda context: context.now_ns // 10**9,
    "TimestampUnixMilli": lambda context: context.now_ns // 10**6,
    "TimestampUnixNano": lambda context: context.now_ns,
    "UUID": _new_uuid,
}


def _random_string(context: CallContext, length: int) -> str:
    if length <= 0:
        length = context.random.randint(_SHORTEST, _LONGEST)
    return "".join(context.random.choices(_LETTERS, k=length))


def _random_int(context: CallContext, low: int, high: int) -> int:
    # As ghz: an upper bound that is not above the lower one counts as 1 more than it.
    return context.random.randrange(low, max(high, low + 1))


_FUNCTIONS: dict[str, tuple[int, Callable[..., object]]] = {
    "newUUID": (0, _new_uuid),
    "randomString": (1, _random_string),
    "randomInt": (2, _random_int),
}
_LONGEST_RANDOM_STRING = 1_000_000


class Template:
    """A text with actions, read once and rendered per request."""

    def __init__(self, text: str, *, actions: bool = True, functions: bool = True) -> None:
        """Raises LoadTestError for an action that is not known, naming it and what there is.

        `actions` False leaves the text as it is; `functions` False refuses functions, fields stay.
        """
        self.text = text
        self._parts: list[str | Callable[[CallContext], object]] = []
        if not actions:
            self._parts.append(text)
            return
        at = 0
        for action in _ACTION.finditer(text):
            self._parts.append(text[at : action.start()])
            self._parts.append(_compiled(action[1], functions))
            at = action.end()
        rest = text[at:]
        if "{{" in rest:
            raise LoadTestError(f"template: {rest[rest.index('{{') :][:40]!r} has no closing }}}}")
        self._parts.append(rest)

    @classmethod
    def of(cls, options: LoadOptions, text: str) -> Template:
        """The template of a text as the options ask for it. Raises LoadTestError."""
        return cls(
            text, actions=not options.disable_template_data, functions=not options.disable_template_functions
        )

    @property
    def has_actions(self) -> bool:
        """Whether rendering depends on the request."""
        return len(self._parts) > 1

    def render(self, context: CallContext) -> str:
        """The text for one request."""
        return "".join(part if isinstance(part, str) else str(part(context)) for part in self._parts)


def _compiled(action: str, functions: bool) -> Callable[[CallContext], object]:
    tokens = _TOKEN.findall(action)
    if not tokens:
        raise LoadTestError("template: {{}} is empty")
    if tokens[0].startswith("."):
        if len(tokens) > 1:
            raise LoadTestError(
                f"template: {{{{{action}}}}} has more than a field; pipelines are not supported"
            )
        return _field(tokens[0])
    name, arguments = tokens[0], tokens[1:]
    if name not in _FUNCTIONS:
        known = ", ".join(sorted(_FUNCTIONS))
        raise LoadTestError(
            f"template: {{{{{action}}}}} uses {name!r}, which is no function here; there are {known}"
        )
    if not functions:
        raise LoadTestError(
            f"template: {{{{{action}}}}} calls a function, and --disable-template-functions is set"
        )
    count, function = _FUNCTIONS[name]
    if len(arguments) != count:
        raise LoadTestError(
            f"template: {name} takes {count} arguments, {{{{{action}}}}} gives {len(arguments)}"
        )
    numbers = [_number(argument, action) for argument in arguments]
    if name == "randomString" and numbers[0] > _LONGEST_RANDOM_STRING:
        raise LoadTestError(
            f"template: {{{{{action}}}}} asks for more than {_LONGEST_RANDOM_STRING:,} letters"
        )
    return lambda context: function(context, *numbers)


def _field(token: str) -> Callable[[CallContext], object]:
    field = _FIELDS.get(token[1:])
    if field is None:
        raise LoadTestError(
            f"template: {{{{{token}}}}} is no field; there are {', '.join('.' + name for name in _FIELDS)}"
        )
    return field


def _number(token: str, action: str) -> int:
    try:
        return int(token)
    except ValueError as error:
        raise LoadTestError(f"template: {token} in {{{{{action}}}}} is not a whole number") from error
