"""Before anything is imported: one thread per operator, since tests share two cores with their servers."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from triton_repo.server import TritonServer

os.environ.setdefault("OMP_NUM_THREADS", "1")
_SERVERS = {"redis_server", "shared_redis", "triton"}
"""Fixtures that start a server."""
# By default an example of more than 200 ms fails, which on a busy machine says nothing of the code.
# Half of the default number of examples: of 52 planted bugs that 100 found, 28 found 49 and 50 found 50.
settings.register_profile("shopfront", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1_000)
settings.load_profile("shopfront")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB; the test is skipped where none can be mounted."""
    from testing.small_disk import can_mount, mounted_disk

    if not can_mount():
        pytest.skip("mounting a disk takes root")
    with mounted_disk(tmp_path / "small disk") as folder:
        yield folder


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """The session's server, version 1 of the tiny `bst` and `mind` of seed 1; leave it as it is."""
    from testing.triton_server import tiny_triton

    with tiny_triton(tmp_path_factory.mktemp("triton")) as server:
        yield server


@pytest.fixture(autouse=True, scope="module")
def counts_of_this_module() -> Iterator[None]:
    """Metrics of other modules are counted as if this one had never had them counted in files."""
    yield
    process_metrics = sys.modules.get("foundation.telemetry.metrics.process_metrics")
    if process_metrics is not None and process_metrics._opened:
        from prometheus_client import values

        process_metrics._opened.clear()
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        values.ValueClass = values.MutexValue


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: searched for garbage neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a server is slow, whichever test asks for it; before tests are chosen by their marks."""
    for item in items:
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if _SERVERS.intersection(getattr(item, "fixturenames", ())) or "redis" in map(str, given):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `pytest -n 2 --dist loadfile`: tests of one ingress stay together too, and share its servers."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.scheduling import ServersTogether

    return ServersTogether(config, log)
