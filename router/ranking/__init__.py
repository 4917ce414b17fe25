"""Ranking on Triton: the scorer, and the shopper's interests for recall."""
