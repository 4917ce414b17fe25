"""Calls of models on Triton, for the recall channels that need them."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from models.registry import MODELS
from pipeline.stages import DependencyError
from recall.channel import ModelCall
from recall.query import Query
from router.ranking.kept_answers import KeptAnswers
from router.ranking.settings import TritonClientSettings
from router.ranking.shopper import model_version
from router.ranking.triton_client import TritonClient


class TritonModelCalls:
    """Offers `model` to `recall.channel.Services`."""

    def __init__(self, client: TritonClient, settings: TritonClientSettings) -> None:
        """Creates no connection."""
        self._client = client
        self._timeout_s = settings.interests_timeout_ms / 1000
        self._kept = KeptAnswers(settings.answers_kept, client.released_while)

    def model(self, name: str) -> ModelCall:
        """The call of a registered model, in the version that belongs to the query's snapshot.

        The call raises DependencyError where the snapshot names no version of the model, or Triton is down,
        too slow, or refuses. Raises KeyError where no model has that name. Its arrays are read-only: an
        answer is kept, and given again where the same is asked.
        """
        outputs = [tensor.name for tensor in MODELS[name].tensors.outputs]

        async def call(query: Query, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
            version = model_version(query, name)
            if not version:
                raise DependencyError(f"the snapshot names no version of {name}; train and publish one")
            return await self._kept.of(
                name,
                version,
                inputs,
                lambda: self._client.infer(name, version, inputs, outputs, self._timeout_s),
            )

        return call
