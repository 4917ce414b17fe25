"""A shop and a log that tests of the learner read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.settings import RouterSettings
from snapshot.catalogue import Catalogue
from state import StateSettings, open_state
from state.store import StateStore
from testing.browsing_log import browsing_log
from testing.served_shop import ServedShop, make_shop
from tests.learning.stream.learners import learner_of, read_all, settings_of
from tests.learning.stream.logs import append


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def item_ids(shop: ServedShop) -> list[str]:
    catalogue: Catalogue = shop.dataset.catalogue
    return catalogue.item_ids(catalogue.key_items)


@pytest.fixture
def one_store(lmdb_settings: StateSettings) -> Iterator[StateStore]:
    """A store for what does not depend on its kind."""
    opened = open_state(lmdb_settings)
    yield opened
    opened.close()


@pytest.fixture
def learned(
    shop: ServedShop, item_ids: list[str], one_store: StateStore, tmp_path: Path
) -> Iterator[tuple[RouterSettings, str]]:
    """Settings, and the digest of 800 events of the store that were read at once."""
    append(one_store, browsing_log(item_ids, 800, seed=1))
    settings = settings_of(shop, tmp_path / "learning")
    whole = learner_of(settings_of(shop, tmp_path / "whole"), one_store)
    yield settings, read_all(whole)
    whole.close()
