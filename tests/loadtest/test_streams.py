"""Streaming calls against a real server."""

import pytest

from loadtest.errors import LoadTestError
from loadtest.run import run
from tests.loadtest.greeter import SERVICE, Greeter

pytestmark = pytest.mark.slow


def stream(server: Greeter, method: str, **changes: object):
    return run(
        server.options(call=f"{SERVICE}/{method}", total=4, concurrency=2, **changes), on_signals=False
    )


def test_server_streams_are_read_to_their_end(server: Greeter) -> None:
    results = stream(server, "GreetMany", data={"name": "x", "answers": 100, "padding": 40_000})
    assert results.status_counts == {0: 4}
    assert results.messages == 400


def test_a_server_stream_is_cut_after_a_count(server: Greeter) -> None:
    results = stream(server, "GreetMany", data={"answers": 1_000, "delay_ms": 1}, stream_call_count=3)
    assert results.status_counts == {1: 4}
    assert 12 <= results.messages < 4_000


def test_a_server_stream_is_cut_after_a_time(server: Greeter) -> None:
    results = stream(
        server, "GreetMany", data={"answers": 200, "delay_ms": 10}, stream_call_duration=60_000_000
    )
    assert results.status_counts == {1: 4}
    assert 4 <= results.messages < 4 * 200


def test_client_streams_send_every_message_of_the_array(server: Greeter) -> None:
    results = stream(server, "GreetAll", data=[{"name": "a"}, {"name": "b"}, {"name": "c"}])
    assert results.status_counts == {0: 4}
    assert server.seen.streams == [3] * 4


@pytest.mark.parametrize(("count", "names"), [(2, "ab"), (5, "abcab")])
def test_a_client_stream_is_cut_or_repeated_to_a_count(server: Greeter, count: int, names: str) -> None:
    run(
        server.options(
            call=f"{SERVICE}/GreetAll",
            data=[{"name": "a"}, {"name": "b"}, {"name": "c"}],
            stream_call_count=count,
            total=1,
            concurrency=1,
        ),
        on_signals=False,
    )
    assert "".join(request.name for request in server.seen.requests) == names


def test_each_message_of_a_stream_can_be_rendered_anew(server: Greeter) -> None:
    data = {"name": "{{randomString 12}}"}
    options = {
        "call": f"{SERVICE}/GreetAll",
        "data": data,
        "stream_call_count": 3,
        "total": 1,
        "concurrency": 1,
    }
    run(server.options(**options), on_signals=False)
    assert len({request.name for request in server.seen.requests}) == 1
    server.seen.requests.clear()
    run(server.options(**options, stream_dynamic_messages=True), on_signals=False)
    assert len({request.name for request in server.seen.requests}) == 3


def test_both_sides_stream_with_messages_an_interval_apart(server: Greeter) -> None:
    clock_grid_ns = 1_000_000
    results = stream(server, "Chat", data=[{"name": "a"}] * 4, stream_interval=5_000_000)
    assert results.status_counts == {0: 4}
    assert results.messages == 16
    assert min(results.ended_ns - results.started_ns) >= 3 * (5_000_000 - clock_grid_ns)


def test_dynamic_messages_need_their_number(server: Greeter) -> None:
    with pytest.raises(LoadTestError, match="--stream-call-count"):
        stream(server, "GreetAll", data={"name": "x"}, stream_dynamic_messages=True)


def test_a_count_limits_what_a_client_sends_and_not_what_it_reads(server: Greeter) -> None:
    results = stream(server, "Chat", data=[{"name": "a"}, {"name": "b"}], stream_call_count=5)
    assert results.status_counts == {0: 4}
    assert server.seen.streams == [5] * 4
    assert results.messages == 20


@pytest.mark.parametrize("method", ["GreetAll", "Chat"])
def test_a_time_closes_what_a_client_sends_and_the_answer_is_awaited(server: Greeter, method: str) -> None:
    results = stream(
        server,
        method,
        data=[{"name": "a"}] * 50,
        stream_interval=50_000_000,
        stream_call_duration=120_000_000,
    )
    assert results.status_counts == {0: 4}
    assert all(1 <= sent < 50 for sent in server.seen.streams)


def test_an_array_has_its_length_in_messages_rendered_anew(server: Greeter) -> None:
    results = stream(
        server, "GreetAll", data=[{"name": "{{newUUID}}"}, {"name": "b"}], stream_dynamic_messages=True
    )
    assert results.status_counts == {0: 4}
    assert server.seen.streams == [2] * 4


def test_workers_bear_the_name_of_the_test(server: Greeter) -> None:
    run(
        server.options(name="evening", data={"name": "{{.WorkerID}}"}, total=1, concurrency=1),
        on_signals=False,
    )
    assert server.seen.requests[0].name == "evening:g0c0"
