"""The plug-in: what a shop names under `plugins`, one line for each of its parts."""

from __future__ import annotations

from snapshot.item_columns import ItemColumn
from tests.models.toy_model import MODEL
from tests.plugin_shop import lightest, moods, seen_enough, upside_down
from tests.server.plugin_service.plugin import SERVICES as GREETINGS

MODELS = {"toy": MODEL}
CHANNELS = {"moods": moods.CHANNEL}
FILTERS = {"seen_enough": seen_enough.FILTER}
QUERY_FEATURES = {"logged_views": seen_enough.FEATURE}
PAGE_RERANKERS = {"upside_down": upside_down.PAGE_RERANKER}
SCORERS = {"lightest": lightest.SCORER}
ITEM_COLUMNS = {
    "material": ItemColumn.group("What the item is made of."),
    "weight": ItemColumn.value("Weight with packaging.", unit="kg", minimum=0, shown=True),
}
SERVICES = GREETINGS
