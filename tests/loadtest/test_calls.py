"""Unary calls against a real server."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.descriptors import from_proto
from loadtest.errors import LoadTestError
from loadtest.report import now, report_of
from loadtest.run import run
from tests.loadtest.greeter import PROTO, Greeter, greeter, methods

pytestmark = pytest.mark.slow


def outcome(options):
    return run(options, on_signals=False)


def test_reflection_finds_the_method_and_every_request_arrives(server: Greeter) -> None:
    results = outcome(server.options(data={"name": "Ann"}, total=50))
    assert results.count == 50
    assert results.status_counts == {0: 50}
    assert results.reason == "normal"
    assert [request.name for request in server.seen.requests] == ["Ann"] * 50


def test_without_reflection_a_proto_or_a_protoset_describes_the_method(tmp_path: Path) -> None:
    protoset = tmp_path / "greeter.protoset"
    protoset.write_bytes(from_proto(str(PROTO), ()))
    with greeter(with_reflection=False) as plain:
        with pytest.raises(LoadTestError, match=r"reflection of 'greetings.Greeter' fails .*--proto"):
            outcome(plain.options())
        assert outcome(plain.options(proto=str(PROTO))).status_counts == {0: 20}
        assert outcome(plain.options(protoset=str(protoset))).status_counts == {0: 20}


def test_messages_are_sent_in_turn_and_templates_are_rendered_per_request(server: Greeter) -> None:
    outcome(server.options(data=[{"name": "a"}, {"name": "b"}, {"name": "c"}], total=6, concurrency=1))
    assert [request.name for request in server.seen.requests] == list("abcabc")
    server.seen.requests.clear()
    outcome(
        server.options(
            data={"name": "{{.MethodName}} {{.RequestNumber}}"},
            metadata={"number": "{{.RequestNumber}}", "fixed": "x"},
            total=4,
            concurrency=1,
        )
    )
    assert [request.name for request in server.seen.requests] == [f"Greet {number}" for number in range(4)]
    assert [seen["number"] for seen in server.seen.metadata[-4:]] == ["0", "1", "2", "3"]
    assert {seen["fixed"] for seen in server.seen.metadata[-4:]} == {"x"}


def test_binary_metadata_arrives_as_bytes(server: Greeter) -> None:
    outcome(server.options(metadata={"Trace-Bin": "id", "plain": "ü".encode().decode("latin-1")}, total=4))
    assert server.seen.metadata[0]["trace-bin"] == b"id"


def test_binary_data_one_message_or_several_behind_their_lengths(server: Greeter, tmp_path: Path) -> None:
    request = methods()["Greet"].request
    one, two = request(name="one").SerializeToString(), request(name="two").SerializeToString()
    file = tmp_path / "data.bin"
    file.write_bytes(one)
    outcome(server.options(binary_file=str(file), total=2, concurrency=1))
    file.write_bytes(bytes([len(one)]) + one + bytes([len(two)]) + two)
    outcome(server.options(binary_file=str(file), total=2, concurrency=1))
    assert [seen.name for seen in server.seen.requests] == ["one", "one", "one", "two"]


def test_failures_are_counted_by_status_and_error(server: Greeter) -> None:
    options = server.options(
        data=[{"name": "Ann"}, {"name": "Bob", "fail": "INTERNAL"}], total=10, concurrency=1
    )
    report = report_of(options, outcome(options), now())
    assert report.statuses == {"OK": 5, "Internal": 5}
    assert report.errors == {"rpc error: code = Internal desc = Bob is not greeted": 5}
    assert sum(bucket.count for bucket in report.histogram) == 5


def test_a_deadline_ends_a_slow_call(server: Greeter) -> None:
    results = outcome(server.options(data={"delay_ms": 400}, timeout=50_000_000, total=3, concurrency=3))
    assert results.status_counts == {4: 3}


def test_a_method_that_the_server_lacks_is_unimplemented(server: Greeter, tmp_path: Path) -> None:
    proto = tmp_path / "greeter.proto"
    proto.write_text(
        PROTO.read_text().replace("rpc Chat(", "rpc Sing(GreetRequest) returns (Greeting);\nrpc Chat(")
    )
    results = outcome(server.options(proto=str(proto), call="greetings.Greeter.Sing", total=2, concurrency=1))
    assert results.status_counts == {12: 2}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("greetings.Greeter/Shout", "has no method 'Shout'; it has Chat, Greet"),
        ("greetings.Shouter/Shout", "reflection of 'greetings.Shouter' fails"),
        ("Greet", "is not package.Service/Method"),
    ],
)
def test_a_method_that_is_not_described_is_refused(server: Greeter, call: str, message: str) -> None:
    with pytest.raises(LoadTestError, match=message):
        outcome(server.options(call=call))


def test_data_that_is_no_such_message_is_refused(server: Greeter) -> None:
    with pytest.raises(LoadTestError, match=r"--data is no greetings.GreetRequest: .*nickname"):
        outcome(server.options(data={"nickname": "x"}))


def test_a_template_that_renders_no_json_ends_the_test_with_the_reason(server: Greeter) -> None:
    with pytest.raises(LoadTestError, match="is not JSON"):
        outcome(server.options(data_text='{"name": {{.MethodName}}}'))


def test_large_messages_pass_flow_control_in_both_directions(server: Greeter) -> None:
    big = "x" * 3_000_000
    results = outcome(server.options(data={"name": big, "padding": 500_000}, total=6, concurrency=3))
    assert results.status_counts == {0: 6}
    assert all(request.name == big for request in server.seen.requests)


def test_an_answer_above_the_limit_fails_its_call(server: Greeter) -> None:
    results = outcome(server.options(data={"padding": 100_000}, max_recv_message_size=50_000, total=2))
    assert results.status_counts == {8: 2}
    assert "received message larger than max" in results.errors[0]


def test_requests_can_be_compressed(server: Greeter) -> None:
    name = "x" * 10_000
    assert outcome(server.options(data={"name": name}, enable_compression=True)).status_counts == {0: 20}
    assert {request.name for request in server.seen.requests} == {name}
    assert len(gzip.compress(name.encode())) < len(name)


def test_concurrency_is_shared_by_connections_and_processes(server: Greeter) -> None:
    options = server.options(
        total=101, concurrency=6, connections=3, cpus=2, data={"name": "{{.RequestNumber}}"}
    )
    results = outcome(options)
    assert results.count == 101
    assert sorted(int(request.name) for request in server.seen.requests) == list(range(101))
    assert len({seen.get("user-agent") for seen in server.seen.metadata}) == 1


def test_a_server_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(LoadTestError, match=rf"127.0.0.1:{unused_tcp_port} cannot be reached"):
        outcome(Greeter(f"127.0.0.1:{unused_tcp_port}", None).options(proto=str(PROTO)))  # type: ignore[arg-type]


def test_the_first_answers_can_be_left_out(server: Greeter) -> None:
    assert outcome(server.options(skip_first=15)).count == 5
    assert len(server.seen.requests) == 20


def test_the_server_s_stages_are_read_from_trace_and_server_timing(server: Greeter) -> None:
    results = outcome(server.options(stage_sample=2))
    assert {name: set(times) for name, times in results.stages.items()} == {
        "recall": {1.25},
        "total": {2.0},
        "db": {1.5},
        "cache": {0.25},
    }
    assert len(results.stages["recall"]) == 10


@pytest.mark.parametrize(
    ("chosen", "stop"),
    [
        ({"duration_stop": "close"}, "close"),
        ({"duration_stop": "wait"}, "wait"),
        ({"duration_stop": "ignore"}, "ignore"),
        ({}, "close"),
        ({"slo": "errors=0.1%"}, "wait"),
        ({"slo": "errors=0.1%", "duration_stop": "close"}, "close"),
    ],
)
def test_a_duration_ends_the_test_and_says_what_becomes_of_calls_under_way(
    server: Greeter, chosen: dict[str, str], stop: str
) -> None:
    options = server.options(duration=150_000_000, data={"delay_ms": 100}, concurrency=2, **chosen)
    results = outcome(options)
    assert results.reason == "timeout"
    cancelled = results.status_counts.get(1, 0)
    assert cancelled == (2 if stop == "close" else 0)
    assert results.status_counts[0] == (4 if stop == "wait" else 2)


def test_a_test_without_an_end_is_refused(server: Greeter) -> None:
    with pytest.raises(LoadTestError, match="would not end"):
        outcome(server.options(total=0))


def test_ctrl_c_prints_the_report_of_what_was_done(server: Greeter) -> None:
    arguments = [
        "--insecure",
        "--call",
        "greetings.Greeter.Greet",
        "-z",
        "60s",
        "-O",
        "json",
        "-c",
        "2",
        "-r",
        "50",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtest", *arguments, server.address], stdout=subprocess.PIPE, text=True
    )
    try:
        while len(server.seen.requests) < 5:
            assert process.poll() is None
        process.send_signal(2)
        report, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert '"endReason":"cancel"' in report
    assert '"statusCodeDistribution":{"OK":' in report
