"""Scoring candidates by a model on Triton: BST for ranking, a lighter one for prerank."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.history import history_inputs
from pipeline.candidates import Candidates
from pipeline.stages import NO_MODEL, DependencyError, Model
from recall.query import Query
from router.ranking.settings import TritonClientSettings
from router.ranking.shared_calls import SharedCalls
from router.ranking.shopper import model_version
from router.ranking.triton_client import TritonClient
from triton_repo.contract import CANDIDATES

Inputs = Callable[[Query, Candidates], Mapping[str, NDArray[Any]]]
"""Makes a model's inputs by name."""


def shopper_inputs(query: Query, candidates: Candidates) -> Mapping[str, NDArray[Any]]:
    """The history once, and the candidates: what `bst` and `prerank` take."""
    return {
        **history_inputs(query.history_items, query.history_events, query.history_ts, query.now),
        "profile": query.profile_codes[None],
        "context": query.context_codes[None],
        "candidate_item": candidates.items,
        "candidate_row": np.zeros(len(candidates), np.int32),
    }


class TritonScorer:
    """The pipeline's Scorer: one call per candidate list, the history once for all its candidates.

    model   gives one array `score` for the inputs; by default the settings' ranking model
    inputs  makes them
    """

    def __init__(
        self,
        client: TritonClient,
        settings: TritonClientSettings,
        model: str | None = None,
        inputs: Inputs = shopper_inputs,
    ) -> None:
        """Creates no connection."""
        self._client = client
        self._model = model or settings.model
        self._inputs = inputs
        self._timeout_s = settings.score_timeout_ms / 1000
        shared = settings.shared_calls
        # Parts of one request are to run side by side, and other inputs name no shopper.
        most = 1 if settings.part_size or inputs is not shopper_inputs else shared.shoppers
        self._shared = SharedCalls(most, shared.wait_ms / 1000, client.released_while)

    def model(self, query: Query) -> Model:
        """The model and version that `score` asks for this query; NO_MODEL where its snapshot names none."""
        version = model_version(query, self._model)
        return Model(self._model, version) if version else NO_MODEL

    async def score(
        self, query: Query, candidates: Candidates, timeout_s: float | None = None
    ) -> NDArray[np.float32]:
        """Probability float32[n] that the shopper takes each candidate; NaN where the model answers NaN.

        Waits `timeout_s` seconds, by default what the settings say. Raises DependencyError where the
        snapshot names no version of the model, or Triton is down, too slow, or refuses.
        """
        count = len(candidates)
        if count == 0:
            return np.empty(0, np.float32)
        version = model_version(query, self._model)
        if not version:
            raise DependencyError(f"the snapshot names no version of {self._model}; train and publish one")
        ticket = query.rollout
        # A graph that ends its process must not end a replica before its rollout has shown that.
        in_process = ticket is None or version != str(ticket.candidate)

        async def call(inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> NDArray[np.float32]:
            outputs = await self._client.infer(
                self._model, version, inputs, ("score",), timeout_s, in_process=in_process
            )
            scores = outputs["score"]
            expected = inputs[CANDIDATES].size if CANDIDATES in inputs else count
            if scores.shape != (expected,):
                raise DependencyError(
                    f"{self._model} version {version} answered {list(scores.shape)} scores for {expected}"
                    " candidates"
                )
            return scores

        inputs = self._inputs(query, candidates)
        return await self._shared.score(
            self._model, version, inputs, self._timeout_s if timeout_s is None else timeout_s, call
        )
