"""Call data as JSON (--data, --data-file): serialised once, or rendered per request from its templates."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from loadtest.call import Headers
from loadtest.data_text import messages_of, string_map, text_of
from loadtest.descriptors import Method
from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.request import FixedRequests, Request, Requests, Sending, serialised
from loadtest.templates import CallContext, Template


class TemplateRequests:
    """Requests rendered one by one from templates of data and metadata."""

    def __init__(
        self,
        method: Method,
        sending: Sending,
        data: Template,
        metadata: Template | None,
        stream_call_count: int,
        each_anew: bool,
        seed: int,
        wall_clock_ns: Callable[[], int],
    ) -> None:
        """`stream_call_count`: a client's stream is cut or repeated to so many messages; 0 = all it has.

        `each_anew`: a stream's templates are rendered for each of its messages.
        """
        self._method = method
        self._sending = sending
        self._data = data
        self._metadata = metadata
        self._stream_call_count = stream_call_count
        self._each_anew = each_anew
        self._random = random.Random(seed)
        self._wall_clock_ns = wall_clock_ns
        self._headers = (
            None if metadata is not None and metadata.has_actions else self._headers_of({}, metadata)
        )

    def request(self, number: int, worker: str) -> Request:
        """See Requests. Raises LoadTestError where the rendered text is no JSON or no such message."""
        context = CallContext(self._method.names, number, worker, self._wall_clock_ns(), self._random)
        headers = self._headers
        if headers is None:
            assert self._metadata is not None
            headers = self._sending.headers(
                self._method.path,
                string_map(self._metadata.render(context), "--metadata"),
            )
        names = self._method.names
        messages = messages_of(self._data.render(context))
        if not names.client_streaming:
            messages = [messages[number % len(messages)]]
        else:
            count = self._stream_call_count or len(messages)
            if self._each_anew:
                messages = [self._anew(context, at) for at in range(count)]
            else:
                messages = [messages[at % len(messages)] for at in range(count)]
        framed = tuple(self._sending.framed(serialised(self._method.request, each)) for each in messages)
        return Request(headers, framed, names.client_streaming, names.server_streaming)

    def _anew(self, context: CallContext, at: int) -> dict[str, Any]:
        messages = messages_of(self._data.render(context))
        return messages[at % len(messages)]

    def _headers_of(self, none: dict[str, str], metadata: Template | None) -> Headers:
        if metadata is None:
            return self._sending.headers(self._method.path, none)
        context = CallContext(self._method.names, 0, "", 0, self._random)
        parsed = string_map(metadata.render(context), "--metadata")
        return self._sending.headers(self._method.path, parsed)


def json_requests(
    options: LoadOptions,
    method: Method,
    sending: Sending,
    metadata: Template | None,
    seed: int,
    wall_clock_ns: Callable[[], int],
) -> Requests:
    """The requests of JSON data; an empty message where there is none. Raises LoadTestError."""
    if options.data_text:
        text = options.data_text
    elif options.data is not None or options.data_file:
        text = text_of(options.data, options.data_file, "--data-file") or ""
    else:
        text = "{}"
    data = Template.of(options, text)
    rendered = TemplateRequests(
        method,
        sending,
        data,
        metadata,
        options.stream_call_count,
        options.stream_dynamic_messages,
        seed,
        wall_clock_ns,
    )
    first = rendered.request(0, "g0c0")
    streaming = method.names.client_streaming
    one = len(first.messages) == 1 and not options.stream_call_count
    if streaming and options.stream_dynamic_messages and one:
        raise LoadTestError(
            "--stream-dynamic-messages needs an array of messages, or --stream-call-count: how many to send"
        )
    if data.has_actions or (metadata is not None and metadata.has_actions):
        return rendered
    if streaming:
        return FixedRequests([first])
    count = len(messages_of(text))
    return FixedRequests([first, *(rendered.request(number, "g0c0") for number in range(1, count))])
