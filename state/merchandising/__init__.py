"""Rules that merchandisers edit while routers run: what is blocked, and what is pinned to a slot."""
