"""Predicts how satisfied shoppers will be with items, from what they said of others."""
