"""The model `rank_net`: a small network over the inputs of the last layer, learned from pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.kind import ModelKind, Trained, TrainingSource
from models.ranker_inputs import RANKER, drawn_rows
from models.rankers.settings import MlpNetworkSettings, ranker_samples, ranker_training
from models.settings import ModelKindSettings, SampleSettings, TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.rankers.mlp import Mlp
    from models.training_loop import Progress


class RankNetSettings(ModelKindSettings):
    """A small network over the inputs of the last layer, learned from pairs of candidates."""

    network: MlpNetworkSettings = MlpNetworkSettings()
    samples: SampleSettings = ranker_samples()
    training: TrainingSettings = ranker_training()


def train(source: TrainingSource, settings: RankNetSettings, progress: Progress) -> Trained:
    """Trains by RankNet's loss. Raises TrainingError where a range is empty or a loss is not finite."""
    from models.rankers.losses import rank_net
    from models.rankers.mlp import fit_mlp

    ranges = source.ranges(settings.samples, settings.training)
    counts = ranges.train.counts
    return Trained(*fit_mlp(ranges, rank_net, settings.network, settings.training, progress, counts))


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> Mlp:
    """The network of a checkpoint, its weights not yet loaded."""
    from models.rankers.mlp import Mlp

    return Mlp(len(weights["mean"]), MlpNetworkSettings.model_validate(record.hyperparameters))


MODEL = ModelKind(
    settings=RankNetSettings,
    tensors=RANKER,
    train=train,
    restore=restore,
    inputs=drawn_rows,
    warm_up={"n": 300},
    weighs_takes=True,
    description="RankNet: n candidates by the inputs of the last layer of ranking.",
)
