"""ghz's call templates: the part of Go's text/template that load tests use.

`{{.Field}}`, `{{function argument …}}`, parentheses and pipelines, nothing else: no conditions, loops or
variables. What is not known is refused when the template is read, before a request is sent.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.template_functions import FUNCTIONS, new_uuid, text_of

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|[^\s()|"`]+|\S')


@dataclass(frozen=True, slots=True)
class CallNames:
    """Names of the called method that a template may use."""

    full_name: str
    method: str
    service: str
    input: str
    output: str
    client_streaming: bool
    server_streaming: bool


@dataclass(frozen=True, slots=True)
class CallContext:
    """One request: its number from 0, its worker, the time in ns since 1970, and a random generator."""

    names: CallNames
    number: int
    worker: str
    now_ns: int
    random: random.Random


Value = Callable[[CallContext], object]

_FIELDS: dict[str, Value] = {
    "WorkerID": lambda context: context.worker,
    "RequestNumber": lambda context: context.number,
    "FullyQualifiedName": lambda context: context.names.full_name,
    "MethodName": lambda context: context.names.method,
    "ServiceName": lambda context: context.names.service,
    "InputName": lambda context: context.names.input,
    "OutputName": lambda context: context.names.output,
    "IsClientStreaming": lambda context: context.names.client_streaming,
    "IsServerStreaming": lambda context: context.names.server_streaming,
    "Timestamp": lambda context: datetime.fromtimestamp(context.now_ns // 10**9, UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    ),
    "TimestampUnix": lambda context: context.now_ns // 10**9,
    "TimestampUnixMilli": lambda context: context.now_ns // 10**6,
    "TimestampUnixNano": lambda context: context.now_ns,
    "UUID": lambda context: new_uuid(context.random),
}


class Template:
    """A text with actions, read once and rendered per request."""

    def __init__(self, text: str, *, actions: bool = True, functions: bool = True) -> None:
        """Raises LoadTestError for an action that is not known, naming it and what there is.

        `actions` False leaves the text as it is; `functions` False refuses functions, fields stay.
        """
        self.text = text
        self._parts: list[str | Value] = []
        if not actions:
            self._parts.append(text)
            return
        at = 0
        for action in _ACTION.finditer(text):
            self._parts.append(text[at : action.start()])
            self._parts.append(_Action(action[1], functions).value())
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
        return "".join(part if isinstance(part, str) else text_of(part(context)) for part in self._parts)


class _Action:
    """Parses the text between `{{` and `}}`."""

    def __init__(self, text: str, functions: bool) -> None:
        self._text = text
        self._functions = functions
        # In JSON, quotes inside an action are escaped.
        self._tokens = _TOKEN.findall(text.replace('\\"', '"'))

    def value(self) -> Value:
        if not self._tokens:
            raise LoadTestError("template: {{}} is empty")
        value = self._pipeline()
        if self._tokens:
            raise self._error(f"has {self._tokens[0]!r} too many")
        return value

    def _pipeline(self) -> Value:
        value = self._command(None)
        while self._tokens and self._tokens[0] == "|":
            self._tokens.pop(0)
            value = self._command(value)
        return value

    def _command(self, piped: Value | None) -> Value:
        """One operand, or a function and its arguments, the piped one last."""
        if not self._tokens or self._tokens[0] in "|)":
            raise self._error("is incomplete")
        if not _names_function(self._tokens[0]):
            if piped is not None:
                raise self._error(f"pipes into {self._tokens[0]!r}, which is no function")
            return self._operand()
        name = self._tokens.pop(0)
        if name not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise self._error(f"uses {name!r}, which is no function here; there are {known}")
        if not self._functions:
            raise self._error("calls a function, and --disable-template-functions is set")
        arguments = []
        while self._tokens and self._tokens[0] not in ("|", ")"):
            arguments.append(self._operand())
        if piped is not None:
            arguments.append(piped)
        fewest, most, function = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            takes = f"{fewest}" if fewest == most else f"{fewest} or more"
            raise self._error(f"gives {len(arguments)} arguments, {name} takes {takes}")
        return lambda context: function(context.random, *(argument(context) for argument in arguments))

    def _operand(self) -> Value:
        token: str = self._tokens.pop(0)
        if token == "(":
            value = self._pipeline()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise self._error("has no closing parenthesis")
            return value
        if token.startswith("."):
            field = _FIELDS.get(token[1:])
            if field is None:
                known = ", ".join("." + name for name in _FIELDS)
                raise LoadTestError(f"template: {{{{{token}}}}} is no field; there are {known}")
            return field
        constant: object
        if token[0] in '"`' and len(token) > 1:
            constant = token[1:-1]
        elif re.fullmatch(r"[+-]?\d+", token):
            constant = int(token)
        elif _names_function(token):
            # A function without arguments may be an argument itself: {{upper newUUID}}.
            self._tokens[:0] = ["(", token, ")"]
            return self._operand()
        else:
            raise self._error(f"has {token!r}, which is neither a field, a number nor a text")
        return lambda context: constant

    def _error(self, problem: str) -> LoadTestError:
        return LoadTestError(f"template: {{{{{self._text}}}}} {problem}")


def _names_function(token: str) -> bool:
    return token[0].isalpha()
