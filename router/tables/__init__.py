"""Learned tables of filters, rerankers and fusions: built offline into the snapshot, opened with it."""
