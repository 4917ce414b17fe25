"""The learned table of popularity, which the rerankers `novelty` and `head_cap` share."""

from recall.popularity import NAME, PopularityTableSettings, build, open_table
from router.tables.kind import TableKind

POPULARITY = TableKind(NAME, PopularityTableSettings, build, open_table)
