"""The ranker that learns from labelled samples while the shop runs."""
