"""The requests of a test, made from JSON, serialised data or a recording."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from loadtest.binary_data import binary_requests
from loadtest.call import Headers
from loadtest.data_text import string_map, text_of
from loadtest.descriptors import Method
from loadtest.errors import LoadTestError
from loadtest.json_data import json_requests
from loadtest.options import LoadOptions
from loadtest.recording import RecordedRequest
from loadtest.replaced_values import ReplacedValues
from loadtest.request import FixedRequests, Request, Requests, Sending, serialised
from loadtest.templates import Template


def requests_of(
    options: LoadOptions, method: Method, sending: Sending, seed: int, wall_clock_ns: Callable[[], int]
) -> Requests:
    """The requests that the options describe for one method.

    Raises LoadTestError naming the option whose text is no JSON, no message of the method, or no known
    template.
    """
    text = text_of(options.metadata, options.metadata_file, "--metadata-file")
    metadata = None if text is None else Template.of(options, text)
    if options.binary or options.binary_file:
        return binary_requests(options, method, sending, metadata)
    return json_requests(options, method, sending, metadata, seed, wall_clock_ns)


def replayed_requests(
    options: LoadOptions,
    recording: Sequence[RecordedRequest],
    methods: Mapping[str, Method],
    sending: Sending,
) -> FixedRequests:
    """A recording's requests in its order, with the options' metadata added to their own.

    Values of lines with JSON data are replaced where the options require it; serialised ones are sent
    unchanged. Raises LoadTestError for a line that is no message of its method, and for metadata with
    templates.
    """
    text = text_of(options.metadata, options.metadata_file, "--metadata-file")
    if text is not None and Template.of(options, text).has_actions:
        raise LoadTestError("--metadata: templates are not rendered with a recording; write the values")
    common = {} if text is None else string_map(text, "--metadata")
    replaced = ReplacedValues(options.replay_replace or {})
    headers: dict[tuple[str, tuple[tuple[str, str], ...]], Headers] = {}
    requests = []
    for recorded in recording:
        method = methods[recorded.call or options.call]
        key = method.path, tuple(sorted(recorded.metadata.items()))
        if key not in headers:
            headers[key] = sending.headers(method.path, common | recorded.metadata)
        if recorded.data is not None:
            message = serialised(method.request, replaced(recorded.data))
        else:
            message = base64.b64decode(recorded.binary)
        names = method.names
        requests.append(
            Request(headers[key], (sending.framed(message),), names.client_streaming, names.server_streaming)
        )
    return FixedRequests(requests)
