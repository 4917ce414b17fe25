import socket

import pytest

from server.ingress import ports


def test_found_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert max(found) < 32_768


def test_a_port_in_use_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    free, taken = ports.free_ports(2)
    monkeypatch.setattr(ports, "_SINGLE_PORTS", range(min(free, taken), min(free, taken) + 1))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", min(free, taken)))
        listener.listen()
        with pytest.raises(OSError, match="no 1 free ports"):
            ports.free_ports(1)
    assert ports.free_ports(1) == [min(free, taken)]


def test_a_range_is_free_from_end_to_end() -> None:
    found = ports.free_range(seed=7)
    assert len(found) == 50
    assert list(found) == list(range(found[0], found[0] + 50))
