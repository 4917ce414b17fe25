"""Importers of known log formats, one per file, registered in `registry.py`."""
