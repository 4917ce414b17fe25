"""Verdicts of tests that a change must pass before any shopper sees it, and what requires them."""
