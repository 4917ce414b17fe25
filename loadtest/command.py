"""The command line: ghz's flags, a configuration file below them, a report above."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.config_file import read_config
from loadtest.errors import LoadTestError
from loadtest.option_check import check
from loadtest.option_values import options_of
from loadtest.options import GHZ_OPTIONS, OPTIONS, OWN_OPTIONS, REFUSED_OPTIONS, Kind, LoadOptions, Option
from loadtest.printers import printed
from loadtest.rate_search import find_max_rate
from loadtest.report import Report, measured_of, now, report_of
from loadtest.run import run
from loadtest.server_metrics import during, read_metrics
from loadtest.slo import judge, parse_slo

HELD, FAILED, WRONG_USE, MISSED, CANCELLED = 0, 1, 2, 3, 130
VERSION = "1.0"


def main(arguments: Sequence[str] | None = None, program: str = "loadtest") -> int:
    """Runs the test that the arguments describe and prints its report.

    Returns the exit status: 0, or 1 where the test cannot run, 2 for wrong use, 3 where an objective (--slo)
    was missed, 130 where it was cancelled.
    """
    try:
        options = parse_arguments(sys.argv[1:] if arguments is None else arguments, program)
        check(options)
        report = load_test(options)
        _write(printed(report, options.format), options.output)
    except LoadTestError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return FAILED
    if report.verdicts and options.format != "summary":
        for verdict in report.verdicts:
            if not verdict.held:
                print(f"SLO missed: {verdict.clause}, measured {verdict.measured}", file=sys.stderr)
    if report.end_reason == "cancel":
        return CANCELLED
    return HELD if report.held else MISSED


def load_test(options: LoadOptions, progress: Callable[[str], None] | None = None) -> Report:
    """Runs a test, or the search for the highest rate, and reports it. Raises LoadTestError."""
    before = read_metrics(options.server_metrics) if options.server_metrics else None
    if options.find_max_rate:
        report = find_max_rate(options, progress or _to_stderr)
    else:
        results = run(options)
        report = report_of(options, results, now())
        if options.slo:
            report = replace(report, verdicts=judge(parse_slo(options.slo), measured_of(options, results)))
    if before is not None:
        report = replace(report, server_metrics=during(before, read_metrics(options.server_metrics)))
    return report


def parse_arguments(arguments: Sequence[str], program: str = "loadtest") -> LoadOptions:
    """The options of a command line, those of its --config file below them.

    Raises LoadTestError for a value that cannot be read and for ghz's flags that are not supported;
    SystemExit(2), as argparse does, for unknown flags.
    """
    parsed = vars(_parser(program).parse_args(_with_flag_values(arguments)))
    for name, why in REFUSED_OPTIONS.items():
        if parsed.pop(name) is not None:
            raise LoadTestError(f"--{name} of ghz is not supported: {why}")
    values: dict[str, Any] = {}
    if parsed["config"]:
        values |= read_config(parsed["config"])
    values |= {option.name: parsed[option.name] for option in OPTIONS if parsed[option.name] is not None}
    if parsed["host"]:
        values["host"] = parsed["host"]
    if values.get("replay"):
        # ghz's 200 requests are for data that can be sent for ever; a recording has an end.
        values.setdefault("total", 0)
    options = options_of(values)
    if options.binary:
        return replace(options, binary_data=sys.stdin.buffer.read())
    if options.data == "@":
        return _with_data_text(replace(options, data=None), sys.stdin.read())
    return options


def _with_data_text(options: LoadOptions, text: str) -> LoadOptions:
    """The call data for the report: JSON as values; a template, which is JSON only once rendered, as text."""
    try:
        return replace(options, data=json.loads(text))
    except ValueError:
        return replace(options, data_text=text)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [options] host:port",
        description="Load a gRPC service with ghz's flags and reports, and with latency from the intended "
        "start, objectives, a search for the highest rate and replay of recorded requests.",
        allow_abbrev=False,
    )
    parser.add_argument("host", nargs="?", default="", help="Host and port to test.")
    parser.add_argument(
        "-v", "--version", action="version", version=f"loadtest {VERSION} (flags and reports of ghz)"
    )
    parser.add_argument(
        "--config", default="", help="JSON, TOML or YAML file with options under these names."
    )
    for title, group in (("ghz's options", GHZ_OPTIONS), ("further options", OWN_OPTIONS)):
        section = parser.add_argument_group(title)
        for option in group:
            _add(section, option)
    for name in REFUSED_OPTIONS:
        parser.add_argument(f"--{name}", dest=name, help=argparse.SUPPRESS)
    return parser


def _add(section: argparse._ArgumentGroup, option: Option) -> None:
    names = [f"-{option.short}"] * bool(option.short) + [f"--{option.name}"]
    text = option.described.replace("%", "%%")
    if option.kind is Kind.FLAG:
        section.add_argument(*names, dest=option.name, action=argparse.BooleanOptionalAction, help=text)
    else:
        section.add_argument(
            *names,
            dest=option.name,
            help=text,
            metavar="VALUE",
            choices=option.choices or None,
        )


def _with_flag_values(arguments: Sequence[str]) -> list[str]:
    """`--insecure=true` and `--insecure=false`, which ghz takes too, as argparse writes them."""
    flags = {f"--{option.name}" for option in OPTIONS if option.kind is Kind.FLAG}
    written = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and name in flags and value in ("true", "false"):
            argument = name if value == "true" else f"--no-{name[2:]}"
        written.append(argument)
    return written


def _write(text: str, path: str) -> None:
    if not path:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    target = Path(path)
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, target)
    except OSError as error:
        raise LoadTestError(f"--output: {path} cannot be written: {error.strerror}") from error


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
