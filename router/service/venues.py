"""The venues of an answer: which of its items are of which, in page order."""

from __future__ import annotations

import numpy as np

from pipeline.plan import Page
from protos.shopfront.v1.recommend_pb2 import Venue
from router.rerank.venues import Venues
from router.service.answer import shown_scores
from snapshot.catalogue import Catalogue


def venues_of(stage: Venues, page: Page, catalogue: Catalogue) -> list[Venue]:
    """One message for each venue that the page shows, in the order of its first item.

    Items of no venue are in none. The score of a venue is the sum of those of its items on the page.
    """
    items = page.items.items
    groups = stage.column[items]
    found, first = np.unique(groups, return_index=True)
    scores = shown_scores(page.items)
    ids = catalogue.item_ids(items)
    shown = [int(found[place]) for place in np.argsort(first) if found[place]]
    names = catalogue.names(stage.settings.by, np.array(shown, np.int32))
    return [
        Venue(
            name=name,
            score=float(scores[groups == group].sum()),
            item_ids=[ids[place] for place in np.flatnonzero(groups == group)],
        )
        for group, name in zip(shown, names, strict=True)
    ]
