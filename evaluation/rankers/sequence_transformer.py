"""BST (`models.bst_network`), at the size and with the training of the other networks."""

from __future__ import annotations

from evaluation.rankers.hard_negatives import HardNegatives
from evaluation.rankers.id_network import NETWORK, network_ranker
from models.bst_network import Bst
from models.rankers.examples import Ranges


def _bst(ranges: Ranges) -> Bst:
    if ranges.features is None:
        raise ValueError("these examples have no shoppers, so that there are no ids to learn")
    return Bst(NETWORK, ranges.features, ranges.profile_counts)


RANKER = network_ranker(_bst)
WITH_HARD_NEGATIVES = network_ranker(_bst, HardNegatives())
