"""The folder that Python finds first in the processes of a router's own Ray node; see `sitecustomize`."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""It comes first in their PYTHONPATH."""
