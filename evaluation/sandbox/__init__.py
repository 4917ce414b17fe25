"""Tests of a channel, ranker or setting on recorded requests, before any shopper sees it."""
