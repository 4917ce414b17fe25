"""A network that reads 20 behaviours is served under the contract of 50."""

from pathlib import Path

import pytest

from exporters.checkpoint_export import export
from features.profile import PROFILE_FIELDS
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of, save_checkpoint
from models.item_features import ItemFeatures
from tests.exporters.conftest import SETTINGS, Shop, clock
from triton_repo.repository import ModelRepository

pytestmark = pytest.mark.slow


def test_a_network_of_20_behaviours_is_sent_50(shop: Shop, tmp_path: Path) -> None:
    vocabulary = shop.dataset.catalogue.profile_vocab
    model = Bst(
        BstNetworkSettings(history_length=20, dimension=16, hidden=(32, 8)),
        ItemFeatures.from_catalogue(shop.dataset.catalogue),
        tuple(len(vocabulary.get(field, ())) for field in PROFILE_FIELDS),
    )
    record = record_of(
        "bst", model.settings, TrainedOn.of(shop.dataset), seed=1, steps=0, metrics={}, training={}
    )
    checkpoint = save_checkpoint(model, record, tmp_path / "short")
    repository = ModelRepository(tmp_path / "triton")
    exported = export(checkpoint, shop.dataset, repository, SETTINGS, seed=3, clock=clock)
    assert exported.parity.max_abs < 1e-5
    assert exported.parity.samples > 2000
