from collections.abc import Iterator
from pathlib import Path

import pytest

from router.state import StateSettings, open_state
from router.state.store import StateStore


@pytest.fixture
def settings(tmp_path: Path) -> StateSettings:
    return StateSettings(url=f"lmdb://{tmp_path / 'state'}")


@pytest.fixture
def store(settings: StateSettings) -> Iterator[StateStore]:
    opened = open_state(settings)
    yield opened
    opened.close()
