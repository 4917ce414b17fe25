"""The model `forest`: a random forest over the inputs of the last layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.class_weights import ClassWeightSettings
from models.kind import ModelKind, Trained, TrainingSource
from models.ranker_inputs import RANKER, drawn_rows
from models.rankers.settings import ForestNetworkSettings, ranker_samples, ranker_training
from models.settings import ModelKindSettings, SampleSettings, TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.rankers.forest import Forest
    from models.training_loop import Progress


class ForestSettings(ModelKindSettings):
    """A random forest over the inputs of the last layer; of `training` only seed and points are used."""

    network: ForestNetworkSettings = ForestNetworkSettings()
    class_weights: ClassWeightSettings = ClassWeightSettings()
    samples: SampleSettings = ranker_samples()
    training: TrainingSettings = ranker_training()


def train(source: TrainingSource, settings: ForestSettings, progress: Progress) -> Trained:
    """Grows the trees. Raises TrainingError where a range is empty or scikit-learn is not installed."""
    from models.rankers.forest import fit_forest
    from models.rankers.measure import NDCG, mean_ndcg
    from models.training_loop import TrainingResult

    ranges = source.ranges(settings.samples, settings.training)
    weights = ranges.train.weights(settings.class_weights)
    forest = fit_forest(ranges, settings.network, settings.training.seed, weights)
    metrics = {NDCG: mean_ndcg(ranges.valid, forest.scores(ranges.valid))}
    progress(1, 1, 0.0, metrics)
    return Trained(forest.eval(), TrainingResult(1, metrics))


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> Forest:
    """The trees of a checkpoint, not yet loaded."""
    from models.rankers.forest import Forest

    return Forest(len(weights["roots"]), len(weights["feature"]))


MODEL = ModelKind(
    settings=ForestSettings,
    tensors=RANKER,
    train=train,
    restore=restore,
    inputs=drawn_rows,
    warm_up={"n": 300},
    weighs_takes=True,
    description="Random forest: n candidates by the inputs of the last layer of ranking.",
)
