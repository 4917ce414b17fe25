"""The learned table of vectors of walks, by which the rerankers `mmr` and `dpp` can tell items alike."""

from recall.walk_vectors import NAME, WalkVectorSettings, build, open_table
from router.tables.kind import TableKind

WALK_VECTORS = TableKind(NAME, WalkVectorSettings, build, open_table)
