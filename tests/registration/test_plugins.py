"""Loading a shop's plug-ins."""

import sys
from types import ModuleType

import pytest

from registration.plugins import load_plugins
from registration.registry import RegistrationError, Registry


@pytest.fixture
def registries() -> tuple[Registry[int], Registry[int]]:
    return Registry("filter", "FILTERS", {"adult": 1}), Registry("channel", "CHANNELS", {"hot": 1})


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("shop_plugin")
    monkeypatch.setitem(sys.modules, "shop_plugin", module)
    return module


def test_what_a_module_declares_is_registered_once(
    registries: tuple[Registry[int], Registry[int]], plugin: ModuleType
) -> None:
    plugin.FILTERS, plugin.CHANNELS = {"age": 2}, {"near": 3}  # type: ignore[attr-defined]
    for _ in range(2):
        load_plugins(["shop_plugin"], registries)
    assert [dict(each) for each in registries] == [{"adult": 1, "age": 2}, {"hot": 1, "near": 3}]
    assert registries[1].source("near") == "shop_plugin"


def test_a_module_that_contradicts_another_registers_nothing(
    registries: tuple[Registry[int], Registry[int]], plugin: ModuleType
) -> None:
    plugin.FILTERS, plugin.CHANNELS = {"age": 2}, {"hot": 3}  # type: ignore[attr-defined]
    with pytest.raises(RegistrationError, match="two channels are named hot: one of shopfront and one"):
        load_plugins(["shop_plugin"], registries)
    assert [dict(each) for each in registries] == [{"adult": 1}, {"hot": 1}]


@pytest.mark.parametrize(
    ("name", "declares", "message"),
    [
        ("no_such_module_anywhere", {}, "no_such_module_anywhere cannot be imported"),
        ("shop_plugin", {}, "registers nothing; it should define at least one of CHANNELS, FILTERS"),
        ("shop_plugin", {"FILTERS": ["age"]}, "FILTERS must map names to filters, it is a list"),
    ],
)
def test_a_module_that_declares_nothing_usable_is_refused(
    registries: tuple[Registry[int], Registry[int]],
    plugin: ModuleType,
    name: str,
    declares: dict[str, object],
    message: str,
) -> None:
    vars(plugin).update(declares)
    with pytest.raises(RegistrationError, match=message):
        load_plugins([name], registries)
