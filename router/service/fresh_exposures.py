"""Settles budgets of new items once the answer has left: what its page does not show is given back."""

from __future__ import annotations

import numpy as np

from recall.fresh import NAME
from recall.fresh_trials import FEATURE
from recall.query import Query
from router.query_features.fresh_trials import RequestTrials
from router.service.impressions import ShownPage


class FreshExposures:
    """The side effect of pages for which the channel `fresh` has claimed exposures."""

    name = "fresh_exposures"

    def applies_to(self, query: Query, response: ShownPage) -> bool:
        """Whether the page's request had trials, and its scene the channel."""
        return NAME in response.channel_names and isinstance(query.features.get(FEATURE), RequestTrials)

    async def after(self, query: Query, response: ShownPage) -> None:
        """Gives back what was claimed for items that are not on the page."""
        trials: RequestTrials = query.features[FEATURE]
        trials.settle(response.scene, np.asarray(response.item_keys, np.uint64))
