"""The shopper's interests by MIND on Triton, for the channels that search near them."""

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from recall.query import Query
from router.ranking.settings import TritonClientSettings
from router.ranking.shopper import history_inputs, model_version
from router.ranking.triton_client import TritonClient


class TritonInterests:
    """Offers `embed_history` to `recall.channel.Services`."""

    def __init__(self, client: TritonClient, settings: TritonClientSettings) -> None:
        self._client = client
        self._model = settings.interest_model
        self._timeout_s = settings.interests_timeout_ms / 1000

    async def embed_history(self, query: Query) -> NDArray[np.float32]:
        """Interests float32[K, D], L2-normalised, in the space of the snapshot's item vectors.

        Rows are all zero where the history is empty. Raises DependencyError where the snapshot names no
        version of the model, or Triton is down, too slow, or refuses.
        """
        version = model_version(query, self._model)
        if not version:
            raise DependencyError(f"the snapshot names no version of {self._model}; train and publish one")
        interests = await self._client.infer(
            self._model, version, history_inputs(query), "interests", self._timeout_s
        )
        if interests.ndim != 3 or interests.shape[0] != 1:
            raise DependencyError(
                f"{self._model} version {version} answered interests of shape {list(interests.shape)},"
                " [1, K, D] was expected"
            )
        return interests[0]
