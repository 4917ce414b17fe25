"""Batch rankers compared on the same candidates: linear, trees, networks; pointwise, pairwise, listwise."""
