"""TLS and mutual TLS against a real server."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from loadtest.errors import LoadTestError
from loadtest.run import run
from tests.loadtest.certificates import write_certificates
from tests.loadtest.greeter import Greeter, greeter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    write_certificates(made)
    return made


def _credentials(folder: Path, *, mutual: bool) -> grpc.ServerCredentials:
    pair = ((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())
    roots = (folder / "ca.pem").read_bytes() if mutual else None
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=mutual)


@pytest.fixture(scope="module")
def tls(folder: Path) -> Iterator[Greeter]:
    with greeter(_credentials(folder, mutual=False)) as running:
        yield running


@pytest.fixture(scope="module")
def mutual(folder: Path) -> Iterator[Greeter]:
    with greeter(_credentials(folder, mutual=True)) as running:
        yield running


def test_a_server_verified_by_the_given_root_answers(tls: Greeter, folder: Path) -> None:
    options = tls.options(insecure=False, cacert=str(folder / "ca.pem"), concurrency=4, connections=2)
    assert run(options, on_signals=False).status_counts == {0: 20}


def test_a_server_that_no_root_verifies_is_refused_and_the_way_out_is_named(tls: Greeter) -> None:
    with pytest.raises(LoadTestError, match=r"TLS failed.*--cacert"):
        run(tls.options(insecure=False), on_signals=False)


def test_verification_can_be_skipped(tls: Greeter) -> None:
    assert run(tls.options(insecure=False, skip_tls=True), on_signals=False).status_counts == {0: 20}


def test_another_name_in_the_certificate_is_refused_unless_it_is_expected(tmp_path: Path) -> None:
    write_certificates(tmp_path, "shop.example")
    with greeter(_credentials(tmp_path, mutual=False)) as running:
        options = running.options(insecure=False, cacert=str(tmp_path / "ca.pem"))
        with pytest.raises(LoadTestError, match="TLS failed"):
            run(options, on_signals=False)
        named = running.options(insecure=False, cacert=str(tmp_path / "ca.pem"), cname="shop.example")
        assert run(named, on_signals=False).status_counts == {0: 20}


def test_mutual_tls_needs_the_client_s_certificate(mutual: Greeter, folder: Path) -> None:
    roots = {"insecure": False, "cacert": str(folder / "ca.pem")}
    own = {"cert": str(folder / "client.pem"), "key": str(folder / "client.key")}
    assert run(mutual.options(**roots, **own), on_signals=False).status_counts == {0: 20}
    with pytest.raises(LoadTestError, match="cannot be reached"):
        run(mutual.options(**roots), on_signals=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cacert": "/nowhere.pem"}, "--cacert: /nowhere.pem does not hold root certificates"),
        ({"cert": "/no.pem", "key": "/no.key"}, "do not load as a pair"),
        ({"cert": "/no.pem"}, "--cert and --key belong together"),
        ({"insecure": True, "skip_tls": True}, "--insecure is plaintext"),
        ({"authority": "x"}, "--authority only works with --insecure"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    tls: Greeter, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(LoadTestError, match=message):
        run(tls.options(**({"insecure": False} | changes)), on_signals=False)
