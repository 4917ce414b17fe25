"""Which arrangement of a network an exporter writes: the one that serves fastest and answers the same."""

from torch import nn

from models.bst import Bst
from models.bst_serving import BstServing
from models.two_tower import TwoTower
from models.two_tower_serving import TwoTowerServing


def serving_form(module: nn.Module, item_table_bytes: int) -> nn.Module:
    """The module to export for `module`, in eval mode; inputs and answers stay the same.

    A `Bst` whose history does not see the candidate is rearranged (`models.bst_serving`), with at most
    `item_table_bytes` of precomputed tables; the item tower of a `TwoTower` becomes a table. Other networks
    already share what can be shared.
    """
    if isinstance(module, TwoTower):
        return TwoTowerServing(module).eval()
    if isinstance(module, Bst) and module.settings.mask_candidate:
        return BstServing(module.eval(), item_table_bytes).eval()
    return module.eval()
