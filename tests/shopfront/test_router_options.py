"""The commands that call a router: with what it asks for they are answered, without it one line says why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from google.protobuf.message import Message

from protos.shopfront.v1.recommend_pb2 import RecommendedItem, RecommendResponse
from protos.shopfront.v1.rollout_pb2 import RolloutHistory, RolloutStatus
from router.service.serving_state import ServingState
from server.ingress.check_health import main as check_health
from server.ingress.client_channel import ChannelError
from server.ingress.own_grpc import serve_in_process
from server.ingress_settings import IngressSettings, TlsSettings, TokenSettings
from shopfront.answer_table import ask
from shopfront.command_line import main
from shopfront.router_options import own_router, router_of
from tests.server.ingress.certificates import Authority

TOKEN = "token-of-the-tests-0123456789"
COMMANDS = {
    "recommend": ["recommend", "--user", "900"],
    "with a cart": ["recommend", "--scene", "cart", "--cart", "i1, i2,"],
    "about an item": ["recommend", "--item", "i1", "--kind", "complementary"],
    "start": ["rollout", "start", "2"],
    "status": ["rollout", "status"],
    "pause": ["rollout", "pause"],
    "resume": ["rollout", "resume"],
    "promote": ["rollout", "promote"],
    "abort": ["rollout", "abort"],
    "history": ["rollout", "history"],
}


class Calls:
    """Stands in for `CallHandler`."""

    def __init__(self) -> None:
        self.serving_state = lambda: ServingState(True)
        self.asked: list[Any] = []

    async def handle(self, method: str, request: Any, *more: Any) -> Message:
        if method in ("Recommend", "SimilarItems"):
            self.asked.append(request)
            return RecommendResponse(scene="home", items=[RecommendedItem(item_id="i1", title="Tea")])
        return RolloutHistory() if method == "GetRolloutHistory" else RolloutStatus(model="bst")


@contextmanager
def served(
    tls: TlsSettings | None = None, tokens: TokenSettings | None = None, calls: Calls | None = None
) -> Iterator[str]:
    """The address of a server of our own in a thread of this process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    server = run(serve_in_process(calls or Calls(), tls=tls, tokens=tokens))  # type: ignore[arg-type]
    try:
        yield server.address
    finally:
        run(server.stop(0))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass(frozen=True)
class Router:
    """A router that asks for TLS, a caller's certificate and a token, and the files to call it with."""

    address: str
    folder: Path
    tls: TlsSettings
    tokens: TokenSettings

    def flags(self, *left_out: str, **other: Path) -> list[str]:
        """All that is needed but what is left out or given otherwise."""
        files = {
            "--cacert": self.folder / "servers.pem",
            "--cert": self.folder / "client.pem",
            "--key": self.folder / "client.key",
            "--token-file": self.folder / "token",
        } | {f"--{name.replace('_', '-')}": path for name, path in other.items()}
        given = [word for name, path in files.items() if name not in left_out for word in (name, str(path))]
        return ["--address", self.address, *given]

    def config(self) -> Path:
        """The configuration file of the router."""
        ingress = IngressSettings(kind="grpc", address=self.address, tls=self.tls, tokens=self.tokens)
        path = self.folder / "config" / "shopfront.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump({"router": {"ingress": ingress.model_dump(mode="json")}}))
        return path


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("mtls")
    servers, clients = Authority("servers"), Authority("clients")
    certificate, key = servers.issue("router").write(folder, "server")
    clients.issue("operator").write(folder, "client")
    Authority("strangers").issue("stranger").write(folder, "stranger")
    (folder / "servers.pem").write_bytes(servers.certificate)
    (folder / "clients.pem").write_bytes(clients.certificate)
    (folder / "token").write_text(f"# of the operators\n{TOKEN}\n")
    (folder / "other-token").write_text("another-token-0123456789\n")
    tls = TlsSettings(certificate=certificate, key=key, client_ca=folder / "clients.pem")
    tokens = TokenSettings(file=folder / "token")
    with served(tls, tokens) as address:
        yield Router(address, folder, tls, tokens)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of whoever runs the tests are not theirs."""
    for name in ("ADDRESS", "CACERT", "CERT", "KEY", "CNAME", "TOKEN", "TOKEN_FILE"):
        monkeypatch.delenv(f"SHOPFRONT_{name}", raising=False)


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def shopfront(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command in this process."""

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["shopfront", *words])
        # The consoles keep the streams of the time they were made.
        import shopfront.command_options as commands
        import shopfront.rollout_commands as rollout

        for console in (commands.console, commands.errors, rollout.console):
            monkeypatch.setattr(console, "_file", sys.stderr if console is commands.errors else sys.stdout)
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Ended(int(ended.value.code or 0), written.out, written.err)

    return run


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_is_answered_with_what_the_router_asks_for(
    router: Router, command: list[str], shopfront: Any
) -> None:
    ended = shopfront(*command, *router.flags())
    assert (ended.status, ended.err) == (0, "")
    assert ended.out


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_says_in_a_line_what_is_missing(
    router: Router, command: list[str], shopfront: Any
) -> None:
    for flags, told in (
        (["--address", router.address], "where it speaks TLS, give --cacert"),
        (router.flags("--cacert"), "nothing trusted here vouches for its certificate: give --cacert"),
        (router.flags("--cert", "--key"), "where it asks callers for a certificate, give --cert and --key"),
        (router.flags("--token-file"), "UNAUTHENTICATED"),
    ):
        ended = shopfront(*command, *flags)
        assert (ended.status, ended.out) == (1, "")
        assert told in " ".join(ended.err.split())
        assert ended.err.startswith("shopfront: ")
        assert "Traceback" not in ended.err


def flat(text: str) -> str:
    return " ".join(text.split())


def test_wrong_files_and_contradictions_are_named(router: Router, shopfront: Any) -> None:
    key = load_pem_private_key((router.folder / "client.key").read_bytes(), None)
    (router.folder / "locked.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    folder = router.folder
    for flags, told in (
        (router.flags("--key"), "--cert and --key belong together"),
        (router.flags(key=folder / "stranger.key"), "are no PEM certificate and its key"),
        (router.flags(key=folder / "locked.key"), "must have no passphrase"),
        (router.flags(key=folder / "none.key"), "--key: "),
        (router.flags(cacert=folder / "token"), "holds no PEM certificate"),
        (router.flags(cacert=folder / "none.pem"), "cannot be read (No such file or directory)"),
        (router.flags(token_file=folder / "none"), "--token-file: "),
        (router.flags(token_file=folder / "other-token"), "the token that was sent is not accepted"),
        (
            router.flags(cert=folder / "stranger.pem", key=folder / "stranger.key"),
            "it may not accept certificates of the authority behind --cert",
        ),
        ([*router.flags(), "--cname", "other.example"], "give the right one with --cname"),
        ([*router.flags(), "--insecure"], "--insecure is plain text"),
        ([*router.flags(), "--authority", "x"], "--authority works in plain text only"),
    ):
        ended = shopfront("recommend", *flags)
        assert ended.status == 1
        assert told in flat(ended.err)
        assert TOKEN not in ended.err


def test_certificates_and_token_may_come_from_the_environment(
    router: Router, shopfront: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(*[iter(router.flags("--token-file"))] * 2, strict=True):
        monkeypatch.setenv(f"SHOPFRONT_{name[2:].upper()}", value)
    assert "UNAUTHENTICATED" in shopfront("rollout", "status").err
    monkeypatch.setenv("SHOPFRONT_TOKEN", TOKEN)
    assert shopfront("rollout", "status").status == 0


def test_the_configuration_says_what_the_command_does_not(router: Router, shopfront: Any) -> None:
    config = ["--config", str(router.config())]
    ended = shopfront("recommend", *config)
    assert "give --cert and --key" in flat(ended.err), "the router has no certificate of its callers"
    mine = ["--cert", str(router.folder / "client.pem"), "--key", str(router.folder / "client.key")]
    assert shopfront("recommend", *config, *mine).status == 0
    assert "where it speaks TLS" in flat(shopfront("recommend", *config, "--insecure").err)


@pytest.mark.parametrize("name", ["shop.example", "*.shop.example"])
def test_a_certificate_for_a_public_name_does_for_the_loopback(
    tmp_path: Path, shopfront: Any, name: str
) -> None:
    certificate, key = Authority().issue("router", names=[name]).write(tmp_path, "server")
    tls = TlsSettings(certificate=certificate, key=key)
    with served(tls) as address:
        config = Router(address, tmp_path, tls, TokenSettings()).config()
        assert shopfront("recommend", "--config", str(config)).status == 0
        # Who says the address asks for the name that stands in it.
        ended = shopfront("recommend", "--config", str(config), "--address", address)
        assert "for another name" in flat(ended.err)
        own = own_router(IngressSettings(kind="grpc", address=address, tls=tls), address)
        assert own is not None
        assert ask(own, "900", "home", 5).items


def test_a_router_whose_callers_show_certificates_is_not_asked_by_its_starter(router: Router) -> None:
    ingress = IngressSettings(kind="grpc", address=router.address, tls=router.tls)
    assert own_router(ingress, router.address) is None


def test_the_starter_calls_as_an_operator_where_there_are_some(tmp_path: Path) -> None:
    for name in ("callers", "operators"):
        (tmp_path / name).write_text(f"# {name}\ntoken-of-{name}-000\n")
    tokens = {"file": tmp_path / "callers"}
    address = "127.0.0.1:9000"
    for more, expected in (({}, "callers"), ({"operators_file": tmp_path / "operators"}, "operators")):
        ingress = IngressSettings.model_validate({"address": address, "tokens": tokens | more})
        own = own_router(ingress, address)
        assert own is not None
        assert own.token == f"token-of-{expected}-000"


def test_a_plain_router_needs_nothing(shopfront: Any) -> None:
    with served() as address:
        assert shopfront("recommend", "--address", address).status == 0
        ended = shopfront("recommend", "--address", address, "--tls")
        assert "it does not speak TLS: say --insecure" in flat(ended.err)
    ended = shopfront("recommend", "--address", address)
    assert ended.err.startswith(f"shopfront: {address} answers UNAVAILABLE")
    assert "`shopfront run` starts a router" in flat(ended.err)
    assert "TLS" not in ended.err


def test_no_token_goes_to_another_machine_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPFRONT_TOKEN", TOKEN)
    with pytest.raises(ChannelError, match="in plain text"):
        router_of(address="shop.example:9000")
    assert router_of(address="shop.example:9000", insecure=True).token == TOKEN
    assert router_of(address="shop.example:9000", tls=True).token == TOKEN
    assert router_of(address="127.0.0.1:9000").token == TOKEN
    assert TOKEN not in repr(router_of(address="127.0.0.1:9000"))


@pytest.mark.parametrize(
    ("listens", "called"),
    [("0.0.0.0:9000", "127.0.0.1:9000"), ("[::]:9000", "[::1]:9000"), ("10.0.0.1:9", "10.0.0.1:9")],
)
def test_the_configured_address_is_one_that_can_be_called(tmp_path: Path, listens: str, called: str) -> None:
    config = tmp_path / "shopfront.yaml"
    config.write_text(f"router: {{ingress: {{address: '{listens}', exposed: true}}}}")
    assert router_of(config=config).address == called
    config.write_text("router: {ingress: {address: '127.0.0.1:0'}}")
    with pytest.raises(ChannelError, match="give --address"):
        router_of(config=config)


def test_health_is_checked_with_certificates(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    flags = router.flags("--token-file")
    assert check_health(flags[1:]) == 0
    assert check_health([router.address]) == 1
    assert "where it speaks TLS, give --cacert" in capsys.readouterr().err
    assert check_health([*flags[1:], "--token-file", str(router.folder / "none")]) == 1


@pytest.mark.slow
def test_a_failed_handshake_leaves_one_line_and_nothing_of_grpcs(router: Router) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "shopfront", "recommend", *router.flags("--cacert")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert flat(ended.stderr).count("shopfront: ") == 1
    assert "ssl_transport_security" not in ended.stderr
    assert ended.stderr.startswith("shopfront: ")


def test_a_cart_or_an_item_and_its_kind_are_asked_for(shopfront: Any) -> None:
    calls = Calls()
    with served(calls=calls) as address:
        router = ["--address", address]
        for words in (
            ["--cart", "i1, i2,", "--scene", "cart"],
            [],
            ["--item", "i1", "--kind", "complementary", "--user", "900"],
            ["--item", "i1", "--scene", "similar_items"],
        ):
            assert shopfront("recommend", *router, *words).status == 0
        cart, plain, complements, either = calls.asked
        assert (list(cart.cart_item_ids), cart.scene) == (["i1", "i2"], "cart")
        assert (list(plain.cart_item_ids), plain.scene) == ([], "home")
        assert (complements.item_id, complements.kind, complements.scene) == ("i1", 2, "")
        assert complements.user_id == "900"
        assert (either.kind, either.scene) == (0, "similar_items")
        assert "name it with --item" in flat(shopfront("recommend", *router, "--kind", "similar").err)
        both = shopfront("recommend", *router, "--item", "i1", "--cart", "i2")
        assert "name one of them" in flat(both.err)
    assert len(calls.asked) == 4


def test_what_the_shopper_looks_for_is_asked_for(shopfront: Any) -> None:
    calls = Calls()
    with served(calls=calls) as address:
        words = [
            "--query",
            "dog food",
            "--category",
            "Pets",
            "--brand",
            "Rex",
            "--price-from",
            "2",
            "--price-to",
            "9",
        ]
        musts = ["--must", "category", "--must", "price", "--cursor", "abc"]
        assert shopfront("recommend", "--address", address, *words, *musts).status == 0
        assert shopfront("recommend", "--address", address, "--item", "i1", "--query", "food").status == 0
        assert shopfront("recommend", "--address", address, "--must", "colour").status != 0
    page, about = calls.asked
    assert page.scene == "search_companion"
    assert page.page_cursor == "abc"
    context = page.context
    assert (context.search_query, context.category, context.brand) == ("dog food", "Pets", "Rex")
    assert (context.price.minimum, context.price.maximum) == (2, 9)
    assert list(context.must) == [2, 4]
    assert about.context.search_query == "food"
    assert not about.context.HasField("price")
