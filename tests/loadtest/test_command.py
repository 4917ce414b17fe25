"""The command line and the configuration file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.command import main, parse_arguments
from loadtest.errors import LoadTestError
from loadtest.options import GHZ_OPTIONS, OPTIONS, REFUSED_OPTIONS, Kind, LoadOptions
from tests.loadtest.greeter import Greeter

# `ghz --help` of v0.120: every flag with its short form.
GHZ_FLAGS = """
config proto protoset call import-paths/i cacert cert key cname skipTLS insecure authority async rps/r
load-schedule load-start load-step load-end load-step-duration load-max-duration concurrency/c
concurrency-schedule concurrency-start concurrency-end concurrency-step concurrency-step-duration
concurrency-max-duration total/n timeout/t duration/z max-duration/x duration-stop data/d data-file/D
binary/b binary-file/B metadata/m metadata-file/M stream-interval stream-call-duration stream-call-count
stream-dynamic-messages reflect-metadata output/o format/O skipFirst count-errors connections
connect-timeout keepalive name tags cpus debug enable-compression/e lb-strategy max-recv-message-size
max-send-message-size disable-template-functions disable-template-data version/v
"""


def test_every_flag_of_ghz_is_taken_or_refused_by_name() -> None:
    ours = {option.name + (f"/{option.short}" if option.short else "") for option in GHZ_OPTIONS}
    assert ours | set(REFUSED_OPTIONS) | {"config", "version/v"} == set(GHZ_FLAGS.split())


def test_defaults_stand_in_one_place() -> None:
    defaults = LoadOptions()
    for option in OPTIONS:
        assert getattr(defaults, option.attribute) == option.default, option.name


def test_help_tells_choices_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Schedule of the rate. One of const, step, line, poisson. Default const." in text
    assert "Deadline of a request; 0 = none. Default 20s." in text


def test_short_and_long_flags_are_read_with_their_units() -> None:
    options = parse_arguments(
        [
            *("--insecure=true", "--call", "a.B/C", "-c", "10", "-n", "1000", "-r", "50", "-t", "500ms"),
            *("-z", "1m30s", "-d", '{"a":1}', "-m", '{"k":"v"}', "-i", "x,y", "-O", "json", "-e"),
            *("--load-schedule", "poisson", "--max-recv-message-size", "42MB", "--tags", "{}"),
            *("--skipTLS=false", "host:1"),
        ]
    )
    assert options == LoadOptions(
        host="host:1",
        insecure=True,
        call="a.B/C",
        concurrency=10,
        total=1000,
        rps=50,
        timeout=500_000_000,
        duration=90_000_000_000,
        data={"a": 1},
        metadata={"k": "v"},
        import_paths=("x", "y"),
        format="json",
        load_schedule="poisson",
        max_recv_message_size=42_000_000,
        tags={},
        enable_compression=True,
    )


CONFIGS = {
    "config.json": '{"host": "h:1", "call": "a.B.C", "total": 5, "timeout": "3s", "data": {"x": [1]}, '
    '"insecure": true, "import-paths": ["p"], "tags": {"env": "test"}}',
    "config.toml": 'host = "h:1"\ncall = "a.B.C"\ntotal = 5\ntimeout = "3s"\ninsecure = true\n'
    'import-paths = ["p"]\n[data]\nx = [1]\n[tags]\nenv = "test"\n',
    "config.yaml": "host: h:1\ncall: a.B.C\ntotal: 5\ntimeout: 3s\ninsecure: true\nimport-paths: [p]\n"
    "data: {x: [1]}\ntags: {env: test}\n",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_file_lies_below_the_flags(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(CONFIGS[name])
    options = parse_arguments(["--config", str(file), "-n", "7"])
    assert options == LoadOptions(
        host="h:1",
        call="a.B.C",
        total=7,
        timeout=3_000_000_000,
        insecure=True,
        import_paths=("p",),
        data={"x": [1]},
        tags={"env": "test"},
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.json", "{", "cannot be parsed"),
        ("c.json", '{"speed": 1}', "'speed' is no option"),
        ("c.json", '{"debug": "x"}', "debug of ghz is not supported"),
        ("c.json", "[]", "holds no object"),
        ("c.ini", "", "ends in none of"),
        ("c.json", '{"total": "many"}', "--total: 'many' is not a whole number"),
        ("c.json", '{"insecure": "yes"}', "--insecure: 'yes' is neither true nor false"),
        ("c.json", '{"load-schedule": "sine"}', "'sine' is none of const, step, line, poisson"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(LoadTestError, match=message):
        parse_arguments(["--config", str(file), "host:1"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--debug log h:1", "--debug of ghz is not supported"),
        ("--lb-strategy round_robin h:1", "--lb-strategy of ghz is not supported"),
        ("-t 5 h:1", "--timeout: '5' is not a duration"),
        ("-d {x h:1", "--data: '{x' is not JSON"),
        ("-m [] h:1", "--metadata: .* is not a JSON object"),
        ("-n -5 h:1", "--total: -5 is not between"),
        ("--max-recv-message-size big h:1", "is not a size"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(arguments: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        parse_arguments(arguments.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the host is missing"),
        ("h:1", "--call is missing"),
        ("--call a.B/C -n 0 h:1", "would not end"),
        ("--call a.B/C -c 0 h:1", "--concurrency must be at least 1"),
        ("--call a.B/C -c 2 --connections 3 h:1", "--connections 3 is more than --concurrency 2"),
        ("--call a.B/C --cpus 3 -c 2 h:1", "a process would idle"),
        ("--call a.B/C --load-schedule step h:1", "needs --load-start"),
        ("--call a.B/C --load-schedule step --load-start 1 --load-step 1 h:1", "needs --load-step-duration"),
        (
            "--call a.B/C --load-schedule line --load-start 9 --load-step 1 --load-end 2 h:1",
            "does not lead from",
        ),
        ("--call a.B/C --load-schedule poisson h:1", "needs the mean rate"),
        ("--call a.B/C -d {} -D x h:1", "--data and --data-file both give call data"),
        ("--call a.B/C --find-max-rate h:1", "--find-max-rate needs the objective"),
        ("--call a.B/C --slo p99=5 h:1", "write it with a unit"),
        ("--call a.B/C --skipFirst 300 h:1", "leaves nothing of 200 requests"),
        ("--call a.B/C --insecure nowhere", "'nowhere' is not host:port"),
        ("--call a.B/C --proto x.txt h:1", "does not end in .proto"),
        (
            "--call a.B/C --load-schedule step --load-start 1 --load-step 1 --load-step-duration 1ms h:1",
            "the shortest step is 10ms",
        ),
    ],
)
def test_options_that_make_no_test_end_with_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("slo", "status"), [("p99=10s,errors=0%", 0), ("p99=1us", 3)])
def test_the_objective_sets_the_exit_status(
    server: Greeter, tmp_path: Path, slo: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.json"
    arguments = ["--insecure", "--call", "greetings.Greeter/Greet", "-n", "20", "-c", "2", "--slo", slo]
    assert main([*arguments, "-O", "json", "-o", str(output), server.address]) == status
    assert json.loads(output.read_text())["loadtest"]["slo"]["held"] is (status == 0)
    assert ("SLO missed: p99=1us" in capsys.readouterr().err) is (status == 3)
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.slow
def test_data_may_come_from_standard_input_and_the_command_is_shopfront_s(server: Greeter) -> None:
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "shopfront",
                "loadtest",
                "--insecure",
                "--call",
                "greetings.Greeter/Greet",
            ),
            *("-d", "@", "-n", "3", "-c", "1", server.address),
        ],
        input='{"name": "{{.RequestNumber}}"}',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[OK]   3 responses" in done.stdout
    assert [request.name for request in server.seen.requests] == ["0", "1", "2"]


@pytest.mark.slow
def test_the_search_finds_a_rate_that_holds(server: Greeter, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--insecure", "--call", "greetings.Greeter/Greet", "--find-max-rate", "--slo", "p50=10s"]
    arguments += ["--search-start", "40", "--search-limit", "80", "--search-duration", "300ms", "-O", "json"]
    assert main([*arguments, server.address]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["loadtest"]["search"]["maxRate"] == 80
    assert printed.err == "40/s held\n80/s held\n"


def test_options_have_help() -> None:
    for option in OPTIONS:
        assert option.help.endswith(".")
        assert option.kind in Kind
