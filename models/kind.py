"""What a model is to the rest of Shopfront: one declaration, from which everything else is derived.

Modules that hold a registration are read by the router, so they import torch and polars inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.profile import PROFILE_FIELDS
from models.batch_share import ALONE, BatchShare
from models.moments import Moments
from models.settings import ModelKindSettings, SampleSettings, TrainingSettings
from models.shopper_inputs import shopper_inputs
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.checkpoint import ModelRecord
    from models.interaction_log import InteractionLog
    from models.item_features import ItemFeatures
    from models.labelled_points import LabelledPoints
    from models.rankers.examples import LearningRanges
    from models.training_loop import Progress, TrainingResult
    from snapshot.dataset import Dataset
    from snapshot.manifest import Cuts


def no_ranges(samples: SampleSettings, training: TrainingSettings) -> LearningRanges:
    """For a source of models that do not rank by inputs."""
    raise NotImplementedError("this training source makes no examples of rankers")


@dataclass(frozen=True)
class TrainingSource:
    """What a model learns from.

    dataset: the data set; log: its events; teachers: the trained networks of `ModelKind.teachers`, in eval
    mode; ranges: makes the examples of rankers over inputs (`models.ranker_inputs`); raises TrainingError
    where a range holds no point; share: what this process computes of each batch, for kinds that share them.
    """

    dataset: Dataset
    log: InteractionLog
    teachers: Mapping[str, nn.Module] = field(default_factory=dict)
    ranges: Callable[[SampleSettings, TrainingSettings], LearningRanges] = no_ranges
    share: BatchShare = ALONE

    @property
    def cuts(self) -> Cuts:
        """Where training, validation and test part in time."""
        return self.dataset.manifest.cuts

    @property
    def profile_counts(self) -> tuple[int, ...]:
        """Number of known codes of each profile field, in the order of `PROFILE_FIELDS`."""
        return profile_counts(self.dataset)

    def item_features(self) -> ItemFeatures:
        """Side features of every item."""
        from models.item_features import ItemFeatures

        return ItemFeatures.from_catalogue(self.dataset.catalogue)


def profile_counts(dataset: Dataset) -> tuple[int, ...]:
    """Number of known codes of each profile field of a data set, in the order of `PROFILE_FIELDS`."""
    vocabulary = dataset.catalogue.profile_vocab
    return tuple(len(vocabulary.get(name, ())) for name in PROFILE_FIELDS)


@dataclass(frozen=True)
class Trained:
    """A trained network in eval mode, and how its training went.

    facts: further values (JSON) that `restore` needs; a checkpoint keeps them.
    """

    network: nn.Module
    result: TrainingResult
    facts: Mapping[str, Any] = field(default_factory=dict)


def as_trained(network: Any, table_bytes: int) -> nn.Module:
    """The network as it was trained: the serving form of a model that has no faster one."""
    del table_bytes
    module: nn.Module = network.eval()
    return module


def no_words(network: Any) -> Mapping[str, Sequence[bytes]]:
    """The vocabularies of a model that takes no bytes."""
    del network
    return {}


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Its name in the registry names its section under `models`, its checkpoints and its model on Triton. The
    network is an `nn.Module` whose `forward` takes the declared inputs by name and returns the declared
    outputs in their order: one tensor, or a tuple. A bytes input reaches it as int64 codes: the position of
    the word in `words`, counted from 1, and 0 for any other.

    Example:
        >>> MODEL = ModelKind(
        ...     settings=GraphSettings,
        ...     tensors=Tensors(HISTORY, (Tensor("vector", "float32", ("B", 64)),)),
        ...     train=train,
        ...     restore=restore,
        ...     makes=lambda network: network.item_vectors().numpy(),
        ... )
    """

    settings: type[ModelKindSettings]
    """Settings of network, samples and training: the model's section under `models`."""
    tensors: Tensors
    """Inputs and outputs on Triton: its configuration, the export and the client are checked against them."""
    train: Callable[[TrainingSource, Any, Progress], Trained]
    """Trains a network by settings of the type above; raises TrainingError. One seed gives one network."""
    restore: Callable[[ModelRecord, Mapping[str, Tensor]], nn.Module]
    """The network that a checkpoint's record describes, before its weights are loaded into it.

    The weights are given for what the shape depends on; `load_state_dict` is called afterwards.
    """
    serving_form: Callable[[Any, int], nn.Module] = as_trained
    """The arrangement of the network that is exported, with at most that many bytes of precomputed tables.

    It must answer what the network answers; the export compares them.
    """
    teachers: tuple[str, ...] = ()
    """Models that are trained before, and whose networks `train` receives."""
    makes: Callable[[Any], NDArray[np.float32]] | None = None
    """Item vectors of a trained network, float32[N + 1, D], row 0 zero, for the tables of channels."""
    inputs: Callable[[Moments], Mapping[str, NDArray[Any]]] = shopper_inputs
    """How real shoppers become its inputs (by name; more than the declared ones may be returned)."""
    words: Callable[[Any], Mapping[str, Sequence[bytes]]] = no_words
    """Bytes input → the words the trained network knows, valid UTF-8, each once."""
    ranks: Callable[[Any, InteractionLog, LabelledPoints], NDArray[np.float32]] | None = None
    """Scores float32[S, C] of labelled candidates, for its row in the evaluation's ranking table."""
    warm_up: Mapping[str, int] = field(default_factory=dict)
    """Sizes of the named dimensions in the calls that warm up a loaded version; 1 where one is left out."""
    learns: bool = True
    """Whether its weights come of the data set. A kind that brings them is exported again only where they
    changed, not with every data set."""
    weighs_takes: bool = False
    """Whether its training counts takes by weights of the source's log or ranges: sample rules act on it."""
    shares_batches: bool = False
    """Whether `train` computes the source's share of every batch: several workers may train it then."""
    engine: bool = False
    """Whether a TensorRT engine of it can be built, as a model of its own: its name with `_trt`."""
    description: str = ""
    """One sentence, for the head of its configuration on Triton."""
