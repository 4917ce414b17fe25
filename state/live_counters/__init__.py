"""Decayed counts of what shoppers do now: their format in mapped files, and how they are read."""
