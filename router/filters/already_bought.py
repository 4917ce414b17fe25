"""Items the shopper has bought lately, or says to have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from features.shop_fit.auto import DaysOrAuto
from pipeline.candidates import Candidates
from recall.query import Query
from router.filters.kind import FilterKind
from router.query_features.feedback import ItemFeedback
from router.tables.component import Parts
from state.feedback_codes import OWNED

SECONDS_PER_DAY = 86_400


class AlreadyBoughtSettings(BaseModel):
    """Removes items that the shopper bought lately, or says to own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    window_days: DaysOrAuto = Field(
        default=30.0,
        description="Days after a purchase in which the item is not shown, above 0; 36500 = for ever. Short "
        "where people buy the same again (groceries), long where they do not (furniture); auto: by how often "
        "and how soon they do so in the shop's log.",
    )


@dataclass(frozen=True, slots=True)
class AlreadyBought:
    """Removes items bought, or said to be owned, within the last `window_seconds`."""

    window_seconds: float
    name: str = "already_bought"

    def keep(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the shopper bought the item, or said so, in the window before `query.now`."""
        begin = query.now - self.window_seconds
        said: ItemFeedback = query.features["feedback"]
        bought = query.purchased_items[query.purchased_ts > begin]
        return np.isin(candidates.items, np.concatenate((bought, said.since(OWNED, begin))), invert=True)


def create(parts: Parts, settings: AlreadyBoughtSettings) -> AlreadyBought:
    """The filter; needs nothing of the catalogue. `auto` was replaced by `router.scenes.fit_shop`."""
    return AlreadyBought(float(settings.window_days) * SECONDS_PER_DAY)


FILTER = FilterKind(settings=AlreadyBoughtSettings, create=create, features=("feedback",))
