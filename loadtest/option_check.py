"""Checks that the options make a test that can run and that ends.

Each refusal names the option and what to write instead.
"""

from __future__ import annotations

from loadtest.durations import MILLISECOND
from loadtest.errors import LoadTestError
from loadtest.options import LoadOptions
from loadtest.slo import parse_slo


def check(options: LoadOptions) -> None:
    """Raises LoadTestError for the first option that contradicts another or leaves no end."""
    for problem in (_target(options), _security(options), _end(options), _load(options), _data(options)):
        if problem:
            raise LoadTestError(problem)
    _objective(options)


def _target(options: LoadOptions) -> str:
    if not options.host:
        return "the host is missing: give host:port as the argument or `host` in the configuration file"
    if not options.call and not options.replay:
        return "--call is missing: name the method, for example --call package.Service/Method"
    if options.proto and not options.proto.endswith(".proto"):
        return (
            f"--proto: {options.proto} does not end in .proto; compiled descriptors are given with --protoset"
        )
    return ""


def _security(options: LoadOptions) -> str:
    if bool(options.cert) != bool(options.key):
        return "--cert and --key belong together: one of them is missing"
    if options.insecure and (options.cacert or options.cert or options.skip_tls or options.cname):
        return (
            "--insecure is plaintext: leave out --cacert, --cert, --key, --cname and --skipTLS, or --insecure"
        )
    if options.authority and not options.insecure:
        return "--authority only works with --insecure; with TLS give the server's name with --cname"
    return ""


def _end(options: LoadOptions) -> str:
    ends = options.duration or options.max_duration or options.find_max_rate or options.replay
    if not options.total and not ends:
        return "the test would not end: give a number of requests (-n) or a duration (-z)"
    if options.total and not options.duration and options.skip_first > options.total:
        return f"--skipFirst {options.skip_first} leaves nothing of {options.total} requests"
    return ""


def _load(options: LoadOptions) -> str:
    if not options.concurrency and options.concurrency_schedule == "const":
        return "--concurrency must be at least 1"
    if options.connections > options.concurrency and options.concurrency_schedule == "const":
        return f"--connections {options.connections} is more than --concurrency {options.concurrency}"
    if not options.connections:
        return "--connections must be at least 1"
    if not options.cpus:
        return "--cpus must be at least 1"
    if options.cpus > options.concurrency and options.concurrency_schedule == "const":
        return f"--cpus {options.cpus} is more than --concurrency {options.concurrency}: a process would idle"
    if options.cpus > 1 and options.concurrency_schedule != "const":
        return "--concurrency-schedule needs --cpus 1: its steps cannot be shared out evenly"
    if options.load_schedule in ("step", "line"):
        problem = _changing(
            "load",
            options.load_schedule,
            options.load_start,
            options.load_end,
            options.load_step,
            options.load_step_duration,
        )
        if problem:
            return problem
        if options.rps:
            return f"--rps and --load-schedule {options.load_schedule} contradict each other: leave one out"
    if options.load_schedule == "poisson" and not options.rps:
        return "--load-schedule poisson needs the mean rate: give --rps"
    if options.concurrency_schedule != "const":
        problem = _changing(
            "concurrency",
            options.concurrency_schedule,
            options.concurrency_start,
            options.concurrency_end,
            options.concurrency_step,
            options.concurrency_step_duration,
        )
        if problem:
            return problem
    if options.run_async and not options.scheduled and not options.find_max_rate:
        return "--async sends on schedule: give a rate (--rps), a --load-schedule or --replay"
    if options.run_async and not options.max_in_flight:
        return "--max-in-flight must be at least 1"
    return ""


def _changing(what: str, schedule: str, start: int, end: int, step: int, step_duration: int) -> str:
    if not start:
        return f"--{what}-schedule {schedule} needs --{what}-start of at least 1"
    if not step:
        return f"--{what}-schedule {schedule} needs --{what}-step other than 0"
    if schedule == "step" and not step_duration:
        return f"--{what}-schedule step needs --{what}-step-duration, for example 5s"
    if schedule == "step" and step_duration < 10 * MILLISECOND:
        return f"--{what}-step-duration: the shortest step is 10ms"
    if end and (end - start) * step <= 0:
        return f"--{what}-step {step} does not lead from --{what}-start {start} to --{what}-end {end}"
    return ""


def _data(options: LoadOptions) -> str:
    sources = [
        name
        for name, given in (
            ("--data", options.data is not None or bool(options.data_text)),
            ("--data-file", bool(options.data_file)),
            ("--binary", options.binary),
            ("--binary-file", bool(options.binary_file)),
            ("--replay", bool(options.replay)),
        )
        if given
    ]
    if len(sources) > 1:
        return f"{' and '.join(sources)} both give call data: leave one out"
    if options.metadata is not None and options.metadata_file:
        return "--metadata and --metadata-file both give metadata: leave one out"
    if options.replay_replace is not None and not options.replay:
        return "--replay-replace is for a recording: give --replay"
    if options.replay_speed < 0:
        return f"--replay-speed {options.replay_speed:g} is negative"
    if options.replays_times and (options.rps or options.load_schedule != "const"):
        return (
            "--replay sends at recorded times: leave out --rps and --load-schedule, or say --replay-speed 0"
        )
    return ""


def _objective(options: LoadOptions) -> None:
    if options.slo:
        parse_slo(options.slo)
    if options.find_max_rate:
        if not options.slo:
            raise LoadTestError(
                "--find-max-rate needs the objective to hold: give --slo, for example p99=50ms"
            )
        if options.rps or options.load_schedule in ("step", "line") or options.replay:
            raise LoadTestError(
                "--find-max-rate chooses the rate: leave out --rps, --load-schedule and --replay"
            )
        if not 0 < options.search_start <= options.search_limit:
            raise LoadTestError("--search-start must be at least 1 and at most --search-limit")
        if not options.search_trials or not options.search_duration:
            raise LoadTestError("--search-trials and --search-duration must be more than 0")
        if not 0 < options.search_precision < 1:
            raise LoadTestError("--search-precision is a share between 0 and 1, for example 0.05")
