"""Selling points of titles, found by a tagger that learns from titles which a shop tagged. Offline only."""
