"""Checkpoints: what is saved is loaded; what is broken is refused by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from models import checkpoint
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import (
    RECORD_NAME,
    WEIGHTS_NAME,
    CheckpointError,
    ModelRecord,
    TrainedOn,
    load_checkpoint,
    read_record,
    record_of,
    save_checkpoint,
)
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from tests.models.small_features import PROFILE_COUNTS, candidates, item_features, shoppers


def bst() -> Bst:
    torch.manual_seed(1)
    return Bst(BstNetworkSettings(hidden=(16, 8)), item_features(), PROFILE_COUNTS).eval()


def record(model: Bst | Mind) -> ModelRecord:
    features = item_features()
    return record_of(
        "bst" if isinstance(model, Bst) else "mind",
        model.settings,
        TrainedOn("d1", features.items, features.code_counts, PROFILE_COUNTS),
        seed=7,
        steps=30,
        metrics={"gauc": 0.75},
        training={"batch_size": 4},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = bst()
    return save_checkpoint(model, record(model), tmp_path / "bst" / "one")


def test_a_loaded_bst_scores_the_same(saved: Path) -> None:
    model, loaded_record = load_checkpoint(saved, "bst")
    inputs = (*shoppers([0, 9, 50]), *candidates(20, 3))
    with torch.no_grad():
        assert torch.equal(model(*inputs), bst()(*inputs))
    assert not model.training
    assert loaded_record.dataset == "d1"
    assert loaded_record.seed == 7
    assert loaded_record.metrics == {"gauc": 0.75}
    assert sorted(path.name for path in saved.parent.iterdir()) == ["one"]
    assert sorted(path.name for path in saved.iterdir()) == [RECORD_NAME, WEIGHTS_NAME]


def test_a_loaded_mind_has_the_same_interests_and_vectors(tmp_path: Path) -> None:
    model = Mind(MindNetworkSettings(dimension=8, interests=3), item_features(), routing_seed=11).eval()
    loaded, _ = load_checkpoint(save_checkpoint(model, record(model), tmp_path / "one"), "mind")
    with torch.no_grad():
        assert torch.equal(loaded(*shoppers([30])[:3]), model(*shoppers([30])[:3]))
    assert torch.equal(loaded.item_vectors(), model.item_vectors())


def test_large_tables_stay_in_the_file_and_small_tensors_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Mind(MindNetworkSettings(dimension=8, interests=3), item_features(), routing_seed=11).eval()
    folder = save_checkpoint(model, record(model), tmp_path / "one")
    table = model.item_embedding.weight.nbytes
    monkeypatch.setattr(checkpoint, "_MAPPED_BYTES", table)
    loaded, _ = load_checkpoint(folder, "mind")
    assert torch.equal(loaded.item_vectors(), model.item_vectors())
    maps = Path("/proc/self/maps").read_text().splitlines()
    mapped = [
        range(*(int(each, 16) for each in line.split()[0].split("-")))
        for line in maps
        if line.endswith(str(folder / WEIGHTS_NAME))
    ]

    def in_the_file(tensor: torch.Tensor) -> bool:
        return any(tensor.data_ptr() in each for each in mapped)

    assert in_the_file(loaded.item_embedding.weight)
    assert not in_the_file(loaded.bilinear.weight)
    assert loaded.item_embedding.weight.requires_grad


def test_nan_weights_are_not_written(tmp_path: Path) -> None:
    model = bst()
    with torch.no_grad():
        model.user_half.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match=r"user_half\.weight"):
        save_checkpoint(model, record(model), tmp_path / "one")
    assert not list(tmp_path.iterdir())


def test_a_metric_without_value_is_null_in_the_file_and_read_back_as_nan(tmp_path: Path) -> None:
    model = bst()
    valueless = record(model).model_copy(update={"metrics": {"gauc": float("nan"), "log_loss": 0.5}})
    folder = save_checkpoint(model, valueless, tmp_path / "one")
    assert '"gauc": null' in (folder / RECORD_NAME).read_text()
    _, kept = load_checkpoint(folder, "bst")
    assert math.isnan(kept.metrics["gauc"])
    assert kept.metrics["log_loss"] == 0.5


def test_saving_again_replaces_the_whole_checkpoint(saved: Path) -> None:
    model = bst()
    with torch.no_grad():
        model.user_half.bias += 1
    (saved / "stray").write_text("of the old one")
    save_checkpoint(model, record(model), saved)
    assert torch.equal(load_checkpoint(saved, "bst")[0].user_half.bias, model.user_half.bias)
    assert sorted(path.name for path in saved.iterdir()) == [RECORD_NAME, WEIGHTS_NAME]
    assert len(list(saved.parent.iterdir())) == 1


def test_a_flipped_bit_is_found(saved: Path) -> None:
    content = bytearray((saved / WEIGHTS_NAME).read_bytes())
    content[-3] ^= 1
    (saved / WEIGHTS_NAME).write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="checksum"):
        load_checkpoint(saved)


def test_a_checkpoint_without_the_newer_settings_loads_with_their_defaults(saved: Path) -> None:
    kept = ModelRecord.model_validate_json((saved / RECORD_NAME).read_text())
    older = {k: v for k, v in kept.hyperparameters.items() if k not in ("history_length", "candidate_blocks")}
    assert len(older) == len(kept.hyperparameters) - 2
    record_of_old = kept.model_copy(update={"hyperparameters": older})
    (saved / RECORD_NAME).write_text(record_of_old.model_dump_json())
    model, _ = load_checkpoint(saved, "bst")
    assert (model.settings.history_length, model.settings.candidate_blocks) == (50, 0)


def test_weights_of_another_shape_are_refused(saved: Path, tmp_path: Path) -> None:
    other = Bst(BstNetworkSettings(hidden=(24, 8)), item_features(), PROFILE_COUNTS)
    elsewhere = save_checkpoint(other, record(other), tmp_path / "other")
    wrong = ModelRecord.model_validate_json((elsewhere / RECORD_NAME).read_text()).model_copy(
        update={"hyperparameters": bst().settings.model_dump(mode="json")}
    )
    (elsewhere / RECORD_NAME).write_text(wrong.model_dump_json())
    with pytest.raises(CheckpointError, match="does not fit the network"):
        load_checkpoint(elsewhere)


def test_missing_and_damaged_files_are_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere/model\.json does not exist"):
        load_checkpoint(tmp_path / "nowhere")
    (saved / WEIGHTS_NAME).unlink()
    with pytest.raises(CheckpointError, match=r"weights\.safetensors does not exist"):
        load_checkpoint(saved)
    (saved / RECORD_NAME).write_text('{"model": "bst"}')
    with pytest.raises(CheckpointError, match="not a checkpoint's record"):
        load_checkpoint(saved)


def test_the_other_network_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="holds bst, not mind"):
        load_checkpoint(saved, "mind")


def test_a_model_that_is_not_registered_is_named(saved: Path) -> None:
    other = read_record(saved).model_copy(update={"model": "graph"})
    (saved / RECORD_NAME).write_text(other.model_dump_json())
    with pytest.raises(
        CheckpointError, match=r"model graph, which is not registered \(there are bst, .*plugins"
    ):
        load_checkpoint(saved)
