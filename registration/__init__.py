"""Registries of the concepts that plug-ins extend; the ground, which every room may import."""
