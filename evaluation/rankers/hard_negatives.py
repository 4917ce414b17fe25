"""Negatives that the network itself finds hard, drawn anew for each batch by its present scores.

Half of the negatives stay as drawn, so that the network does not forget what is easy (as dynamic negative
sampling does: Zhang et al., SIGIR 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.batches import encode_shoppers
from models.bst_network import Bst
from models.interaction_log import InteractionLog
from models.samples import SamplePoints


@dataclass(frozen=True, slots=True)
class HardNegatives:
    """How many of a point's negatives are drawn by hardness, and how sharply.

    share      of the negatives, 0…1
    sharpness  the chance of an item grows by e with every 1 / sharpness of its logit; 0 draws evenly
    """

    share: float = 0.5
    sharpness: float = 1.0

    def draw(
        self,
        network: Bst,
        log: InteractionLog,
        points: SamplePoints,
        spare: NDArray[np.int32],
        count: int,
        random: np.random.Generator,
    ) -> NDArray[np.int32]:
        """int32[B, count] of `spare` int32[B, P], count ≤ P, none twice; 0, which is no item, comes last.

        Without replacement, with chances by the network's logits: the largest of logit · sharpness and Gumbel
        noise (Kool et al., ICML 2019).
        """
        was_training = network.training
        network.eval()
        with torch.inference_mode():
            shoppers = encode_shoppers(log, points)
            logits = network.grouped_logits(*shoppers.all, torch.from_numpy(spare)).numpy()
        network.train(was_training)
        keys = self.sharpness * logits.astype(np.float64) + random.gumbel(size=spare.shape)
        chosen = np.argsort(-np.where(spare > 0, keys, -np.inf), axis=1)[:, :count]
        return np.take_along_axis(spare, chosen, axis=1)
