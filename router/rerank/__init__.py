"""Arranges the page: no product twice, no long runs of one category or brand, slots for items never taken."""
