"""Plug-ins in serving processes: what they register, what is refused, and what children of a process get."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from recall.settings import RecallSettings
from registration.registry import RegistrationError, Registry
from router.filters.registry import FILTERS
from router.scenes.problems import SettingsError
from server.ingress.launcher import RouterStartError, start_router
from server.ingress.ray_environment import serve_environment
from server.ingress.ray_service import router_settings
from server.ingress_settings import IngressSettings
from server.plugins import REGISTRIES, load, load_from_environment, plugins_environment, unload
from server.rpc.methods import method_table
from server.rpc.registry import SERVICES
from shopfront.workspace import PROJECT
from testing.served_shop import make_shop
from tests.server.plugin_service import greeting_pb2

GREETING = "tests.server.plugin_service.plugin"
Writer = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Writes a module into the folder that the process runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules: list[str] = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        modules.append(name)
        return name

    yield write
    unload(modules)
    for name in modules:
        sys.modules.pop(name, None)


@pytest.fixture
def greeting() -> Iterator[None]:
    """The service of the tests' plug-in is not registered afterwards."""
    yield
    unload([GREETING])


def test_members_of_several_concepts_come_from_one_module(write: Writer) -> None:
    name = write(
        "my_parts",
        "from router.filters.registry import FILTERS as built_in\n"
        "from router.rerank.registry import RERANKERS as rerankers\n"
        "FILTERS = {'grown_up': built_in['adult']}\n"
        "RERANKERS = {'mixed': rerankers['scatter']}\n",
    )
    load([name])
    assert FILTERS["grown_up"] is FILTERS["adult"]
    assert FILTERS.source("grown_up") == name
    load([name])
    unload([name])
    assert all("grown_up" not in registry and "mixed" not in registry for registry in REGISTRIES)


@pytest.mark.usefixtures("greeting")
def test_a_contradiction_leaves_nothing_of_any_module_behind(write: Writer) -> None:
    name = write(
        "second_greeting",
        "from tests.server.plugin_service.plugin import SERVICES as first\n"
        "SERVICES = {'welcome': first['greeting']}\n",
    )
    with pytest.raises(RegistrationError, match=r"two RPC methods are named Greet: .* of second_greeting"):
        load([GREETING, name])
    assert "greeting" not in SERVICES
    assert "Greet" not in method_table()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_package", r"bad cannot be imported \(No module named 'no_such_package'\)"),
        ("1 / 0", r"bad fails when it is imported \(ZeroDivisionError: division by zero\)"),
        ("def broken(:", r"bad fails when it is imported \(SyntaxError"),
        ("CHANNEL = {}", "bad registers nothing; it should define at least one of CHANNELS, FILTERS"),
        ("FILTERS = ['adult']", "must map names to filters, it is a list"),
        ("FILTERS = {'adult': 1}", "two filters are named adult: one of shopfront and one of bad"),
        (
            "SERVICES = {'x': 1}",
            r"the RPC service x of bad is a int; it must be a server\.rpc\.service\.Service",
        ),
        ("import sys; sys.exit(3)", r"bad fails when it is imported \(SystemExit: 3\)"),
        ("raise ValueError('a\\n\\nb')", r"bad fails when it is imported \(ValueError: a b\)"),
    ],
)
def test_a_bad_module_is_refused_by_name(write: Writer, text: str, words: str) -> None:
    with pytest.raises(RegistrationError, match=words):
        load([write("bad", text)])
    assert "x" not in SERVICES


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: str(registry.attribute))
def test_no_registry_takes_something_else_than_its_concept(write: Writer, registry: Registry[Any]) -> None:
    member = next(iter(registry.values()))
    name = write("bad", f"class Part: ...\n{registry.attribute} = {{'x': None}}")
    with pytest.raises(RegistrationError, match=f"the {registry.concept} x of bad is "):
        load([name])
    with pytest.raises(RegistrationError, match=f"the {registry.concept} '../x' of bad must be named by a"):
        registry.add("../x", member, "bad")
    assert "x" not in registry


def test_settings_that_cannot_be_left_out_are_refused_before_a_configuration_is_read(write: Writer) -> None:
    name = write(
        "bad",
        "import dataclasses\n"
        "from pydantic import Field\n"
        "from recall.channel import ChannelSettings\n"
        "from recall.hot import CHANNEL\n"
        "class NearSettings(ChannelSettings):\n"
        "    'Near items.'\n"
        "    kept: int = Field(description='Items kept.')\n"
        "CHANNELS = {'near': dataclasses.replace(CHANNEL, settings=NearSettings)}\n",
    )
    load([name])
    with pytest.raises(RegistrationError, match=r"bad\.NearSettings of near cannot be left out \(kept\)"):
        RecallSettings()


def test_a_module_for_building_alone_is_no_mistake(write: Writer) -> None:
    load([write("importers_only", "IMPORTERS = {}")])


@pytest.mark.usefixtures("greeting")
def test_the_environment_carries_modules_and_folders(write: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("mine", "FILTERS = {}")
    monkeypatch.setenv("PYTHONPATH", f"relative{os.pathsep}/absolute")
    environment = plugins_environment([name, GREETING])
    folders = environment["PYTHONPATH"].split(os.pathsep)
    assert folders == [str(Path("relative").absolute()), "/absolute", str(Path.cwd())]
    assert plugins_environment([]) == {}
    monkeypatch.setenv("SHOPFRONT_PLUGINS", environment["SHOPFRONT_PLUGINS"])
    load_from_environment()
    assert SERVICES.source("greeting") == GREETING


@pytest.mark.usefixtures("greeting")
def test_rays_environment_follows_the_plugins() -> None:
    without = serve_environment(IngressSettings())
    assert without["RAY_SERVE_GRPC_MAX_MESSAGE_SIZE"] == str(4 * 8 * 2**20)
    assert "SHOPFRONT_PLUGINS" not in without
    assert without["SHOPFRONT_REQUEST_BYTES"] == str(8 * 2**20)
    load([GREETING])
    given = serve_environment(IngressSettings(), [GREETING])
    assert given["SHOPFRONT_PLUGINS"] == GREETING
    assert given["RAY_SERVE_GRPC_MAX_MESSAGE_SIZE"] == str(4 * 9 * 2**20)
    assert given["SHOPFRONT_REQUEST_BYTES"] == str(8 * 2**20)


@pytest.mark.slow
def test_the_routers_process_reports_a_bad_plugin_in_one_line(tmp_path: Path) -> None:
    settings = make_shop(tmp_path).settings("127.0.0.1:9", ingress={"address": "127.0.0.1:0"})
    with pytest.raises(RouterStartError, match="the module no_such_module cannot be imported"):
        start_router(settings, plugins=["no_such_module"])


@pytest.mark.parametrize(
    "kind",
    [pytest.param("haproxy", marks=pytest.mark.slow), pytest.param("grpc", marks=pytest.mark.faults)],
)
def test_replicas_import_plugins_from_the_folder_the_program_runs_in(
    write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name = write("served_parts", "from tests.server.plugin_service.plugin import SERVICES\n")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    ingress = {"kind": kind, "address": "127.0.0.1:0", "replicas": 1}
    router = start_router(make_shop(tmp_path).settings("127.0.0.1:9", ingress=ingress), plugins=[name])
    try:
        assert router.plugins == (name,)
        with grpc.insecure_channel(router.address) as channel:
            call = channel.unary_unary("/tests.greeting.GreetingService/Greet")
            request = greeting_pb2.GreetRequest(name="Ann").SerializeToString()
            answer = greeting_pb2.Greeting.FromString(call(request, timeout=20, wait_for_ready=True))
        assert answer.text == "Hello Ann"
    finally:
        router.stop()


@pytest.mark.usefixtures("greeting")
def test_a_clusters_application_loads_the_plugins_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "shopfront.yaml"
    path.write_text(f"plugins: [{GREETING}]\nrouter: {{ingress: {{kind: grpc}}}}\n")
    settings, plugins = router_settings(path)
    assert settings.ingress.kind == "grpc"
    assert plugins == (GREETING,)
    assert SERVICES.source("greeting") == GREETING
    path.write_text("plugins: tests\n")
    with pytest.raises(SettingsError, match="a list of dotted module names"):
        router_settings(path)


@pytest.mark.slow
def test_a_program_that_serves_loads_nothing_that_only_building_needs() -> None:
    code = (
        "import sys, server.plugins, shopfront.plugins\n"
        "print([name for name in ('torch', 'polars', 'ray', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
