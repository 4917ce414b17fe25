"""A regression that orders pages about one item, fitted on what was taken next in the same basket."""
