"""Cleaning rules, one per file, registered in `rules.py`."""
