"""Every option of a load test: ghz's under ghz's names, then what ghz lacks.

One table serves the command line, the configuration file and the manual. Durations are kept in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from loadtest.durations import SECOND, go_duration


class Kind(Enum):
    """How an option's text is read."""

    TEXT = "text"
    FLAG = "flag"
    COUNT = "count"
    INTEGER = "integer"
    NUMBER = "number"
    DURATION = "duration"
    SIZE = "size"
    JSON = "json"
    MAP = "map"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Option:
    """`name`: ghz's long name and configuration key; `default` in the option's own unit (durations: ns)."""

    name: str
    kind: Kind
    default: Any
    help: str
    short: str = ""
    choices: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """The help with what may be chosen and what holds where the option is not given."""
        text = self.help
        if self.choices:
            text += f" One of {', '.join(self.choices)}."
        if self.default:
            shown = go_duration(self.default) if self.kind is Kind.DURATION else self.default
            text += f" Default {shown}."
        return text

    @property
    def attribute(self) -> str:
        """The field of LoadOptions that holds the option."""
        return {"async": "run_async", "skipTLS": "skip_tls", "skipFirst": "skip_first"}.get(
            self.name, self.name.replace("-", "_")
        )


FORMATS = ("summary", "csv", "json", "pretty", "html", "influx-summary", "influx-details", "prometheus")

GHZ_OPTIONS = (
    Option("proto", Kind.TEXT, "", "The .proto file. Without it and --protoset, server reflection is used."),
    Option("protoset", Kind.TEXT, "", "The compiled descriptor set (protoc --include_imports -o)."),
    Option("call", Kind.TEXT, "", "Method, as package.Service/Method or package.Service.Method."),
    Option("import-paths", Kind.LIST, (), "Comma-separated import paths of --proto.", "i"),
    Option("cacert", Kind.TEXT, "", "File with the root certificates that verify the server."),
    Option("cert", Kind.TEXT, "", "File with the client's certificate; needs --key."),
    Option("key", Kind.TEXT, "", "File with the client's private key; needs --cert."),
    Option("cname", Kind.TEXT, "", "Name to expect in the server's certificate."),
    Option("skipTLS", Kind.FLAG, False, "Use TLS without verifying the server."),
    Option("insecure", Kind.FLAG, False, "Use plaintext."),
    Option("authority", Kind.TEXT, "", "Value of :authority; only with --insecure."),
    Option(
        "async", Kind.FLAG, False, "Open loop: send on schedule, whatever is still unanswered; needs a rate."
    ),
    Option(
        "rps", Kind.COUNT, 0, "Requests per second of the const and poisson schedules; 0 = no limit.", "r"
    ),
    Option(
        "load-schedule", Kind.TEXT, "const", "Schedule of the rate.", "", ("const", "step", "line", "poisson")
    ),
    Option("load-start", Kind.COUNT, 0, "Rate at the start of step and line."),
    Option("load-step", Kind.INTEGER, 0, "Change of the rate per step, or per second for line."),
    Option("load-end", Kind.COUNT, 0, "Rate at which step and line stop changing; 0 = none."),
    Option("load-step-duration", Kind.DURATION, 0, "Length of one step."),
    Option("load-max-duration", Kind.DURATION, 0, "Time after which step and line stop changing; 0 = none."),
    Option("concurrency", Kind.COUNT, 50, "Requests under way at a time.", "c"),
    Option(
        "concurrency-schedule",
        Kind.TEXT,
        "const",
        "Schedule of the concurrency.",
        "",
        ("const", "step", "line"),
    ),
    Option("concurrency-start", Kind.COUNT, 0, "Concurrency at the start of step and line."),
    Option("concurrency-end", Kind.COUNT, 0, "Concurrency at which step and line stop changing; 0 = none."),
    Option(
        "concurrency-step", Kind.INTEGER, 1, "Change of the concurrency per step, or per second for line."
    ),
    Option("concurrency-step-duration", Kind.DURATION, 0, "Length of one step."),
    Option("concurrency-max-duration", Kind.DURATION, 0, "Time after which it stops changing; 0 = none."),
    Option("total", Kind.COUNT, 200, "Requests to send.", "n"),
    Option("timeout", Kind.DURATION, 20 * SECOND, "Deadline of a request; 0 = none.", "t"),
    Option("duration", Kind.DURATION, 0, "Time to send for; the number of requests is then ignored.", "z"),
    Option(
        "max-duration", Kind.DURATION, 0, "Longest time to send for, the number of requests respected.", "x"
    ),
    Option(
        "duration-stop",
        Kind.TEXT,
        "",
        "Requests under way when the time is up: close (they fail; without --slo the default), wait (with "
        "--slo the default), or ignore (they are not counted).",
        "",
        ("close", "wait", "ignore"),
    ),
    Option("data", Kind.JSON, None, "The call data as JSON; @ reads standard input.", "d"),
    Option("data-file", Kind.TEXT, "", "File with the call data as JSON.", "D"),
    Option("binary", Kind.FLAG, False, "The call data is serialised, on standard input.", "b"),
    Option("binary-file", Kind.TEXT, "", "File with the call data serialised.", "B"),
    Option("metadata", Kind.MAP, None, "Request metadata as a JSON object.", "m"),
    Option("metadata-file", Kind.TEXT, "", "File with request metadata as a JSON object.", "M"),
    Option("stream-interval", Kind.DURATION, 0, "Time between the messages a stream sends."),
    Option("stream-call-duration", Kind.DURATION, 0, "Time after which a stream is closed by this side."),
    Option("stream-call-count", Kind.COUNT, 0, "Messages after which a stream is closed by this side."),
    Option("stream-dynamic-messages", Kind.FLAG, False, "Apply templates to each message of a stream."),
    Option("reflect-metadata", Kind.MAP, None, "Metadata of the reflection call alone, as a JSON object."),
    Option("max-recv-message-size", Kind.SIZE, 2**31 - 1, "Largest answer taken, for example 42MB."),
    Option("max-send-message-size", Kind.SIZE, 2**31 - 1, "Largest message sent."),
    Option("output", Kind.TEXT, "", "File for the report; standard output without it.", "o"),
    Option("format", Kind.TEXT, "summary", "Format of the report.", "O", FORMATS),
    Option("skipFirst", Kind.COUNT, 0, "Answers at the beginning that are left out of the report."),
    Option("count-errors", Kind.FLAG, False, "Count failed requests in the latencies."),
    Option("connections", Kind.COUNT, 1, "Connections; the concurrency is spread over them."),
    Option("connect-timeout", Kind.DURATION, 10 * SECOND, "Time allowed for connecting."),
    Option(
        "keepalive", Kind.DURATION, 0, "Time without traffic after which the connection is probed; 0 = never."
    ),
    Option("name", Kind.TEXT, "", "Name of the test."),
    Option("tags", Kind.MAP, None, "Tags of the report, a JSON object of texts."),
    Option("cpus", Kind.COUNT, 1, "Processes that send; each uses one core."),
    Option("enable-compression", Kind.FLAG, False, "Compress the requests with gzip.", "e"),
    Option("disable-template-functions", Kind.FLAG, False, "Refuse functions in templates."),
    Option(
        "disable-template-data", Kind.FLAG, False, "Send data and metadata as they are, templates unread."
    ),
)

# ghz has these; they are refused by name, never passed over in silence.
REFUSED_OPTIONS = {
    "debug": "there is no debug log; the report's details and extra fields hold what was measured",
    "lb-strategy": "names with several addresses are not balanced here; give one address, or put a "
    "balancer before the servers and raise --connections",
}

OWN_OPTIONS = (
    Option("slo", Kind.TEXT, "", "Objective, for example p99=50ms,errors=0.1%; missed = exit status 3."),
    Option("find-max-rate", Kind.FLAG, False, "Search the highest rate that holds --slo."),
    Option("search-start", Kind.COUNT, 50, "First rate tried, requests per second."),
    Option("search-limit", Kind.COUNT, 20_000, "Highest rate tried."),
    Option("search-trials", Kind.COUNT, 14, "Most rates tried."),
    Option("search-duration", Kind.DURATION, 10 * SECOND, "Length of one trial."),
    Option(
        "search-precision", Kind.NUMBER, 0.05, "Share by which the answer may fall short of the limit found."
    ),
    Option("max-in-flight", Kind.COUNT, 10_000, "Most unanswered requests of an open loop (--async)."),
    Option("seed", Kind.COUNT, 0, "Seed of Poisson arrivals and of random template functions."),
    Option(
        "replay",
        Kind.TEXT,
        "",
        "File of recorded requests, or folder of such files, to send at their recorded times; all of them, "
        "unless -n gives their number.",
    ),
    Option(
        "replay-replace",
        Kind.MAP,
        None,
        'JSON object of field names and files, for example {"user_id": "ids.txt"}: each value of the field '
        "in the recording is replaced by a line of the file, equal ones by the same.",
    ),
    Option(
        "replay-speed",
        Kind.NUMBER,
        1.0,
        "Recorded time divided by this: 2 = twice as fast; 0 = at the rate of --rps.",
    ),
    Option(
        "stage-sample", Kind.COUNT, 10, "Read the server's stages from one answer in this many; 0 = never."
    ),
    Option("server-metrics", Kind.TEXT, "", "URL of the server's Prometheus metrics, read before and after."),
)

OPTIONS = GHZ_OPTIONS + OWN_OPTIONS


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """A load test.

    Field names are ghz's option names in snake case; durations are nanoseconds, rates per second.
    """

    host: str = ""
    proto: str = ""
    protoset: str = ""
    call: str = ""
    import_paths: tuple[str, ...] = ()
    cacert: str = ""
    cert: str = ""
    key: str = ""
    cname: str = ""
    skip_tls: bool = False
    insecure: bool = False
    authority: str = ""
    run_async: bool = False
    rps: int = 0
    load_schedule: str = "const"
    load_start: int = 0
    load_step: int = 0
    load_end: int = 0
    load_step_duration: int = 0
    load_max_duration: int = 0
    concurrency: int = 50
    concurrency_schedule: str = "const"
    concurrency_start: int = 0
    concurrency_end: int = 0
    concurrency_step: int = 1
    concurrency_step_duration: int = 0
    concurrency_max_duration: int = 0
    total: int = 200
    timeout: int = 20 * SECOND
    duration: int = 0
    max_duration: int = 0
    duration_stop: str = ""
    data: Any = None
    data_file: str = ""
    binary: bool = False
    binary_file: str = ""
    metadata: Mapping[str, str] | None = None
    metadata_file: str = ""
    stream_interval: int = 0
    stream_call_duration: int = 0
    stream_call_count: int = 0
    stream_dynamic_messages: bool = False
    reflect_metadata: Mapping[str, str] | None = None
    max_recv_message_size: int = 2**31 - 1
    max_send_message_size: int = 2**31 - 1
    output: str = ""
    format: str = "summary"
    skip_first: int = 0
    count_errors: bool = False
    connections: int = 1
    connect_timeout: int = 10 * SECOND
    keepalive: int = 0
    name: str = ""
    tags: Mapping[str, str] | None = None
    cpus: int = 1
    enable_compression: bool = False
    disable_template_functions: bool = False
    disable_template_data: bool = False
    slo: str = ""
    find_max_rate: bool = False
    search_start: int = 50
    search_limit: int = 20_000
    search_trials: int = 14
    search_duration: int = 10 * SECOND
    search_precision: float = 0.05
    max_in_flight: int = 10_000
    seed: int = 0
    replay: str = ""
    replay_replace: Mapping[str, str] | None = None
    replay_speed: float = 1.0
    stage_sample: int = 10
    server_metrics: str = ""
    # Read from standard input where the options are read: JSON text of `--data @`, bytes of `--binary`.
    data_text: str = field(default="", repr=False)
    binary_data: bytes = field(default=b"", repr=False)

    @property
    def stop(self) -> str:
        """What becomes of requests under way when the time is up.

        An objective is about the server: requests that the end of the test would cut are waited for then.
        """
        return self.duration_stop or ("wait" if self.slo else "close")

    @property
    def scheduled(self) -> bool:
        """Whether requests have an intended start: a rate, a schedule or a recording's times."""
        return bool(self.rps) or self.load_schedule in ("step", "line") or self.replays_times

    @property
    def replays_times(self) -> bool:
        """Whether the times of a recording decide when to send."""
        return bool(self.replay) and self.replay_speed > 0
