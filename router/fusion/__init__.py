"""Joins what the channels recalled into one candidate set."""
