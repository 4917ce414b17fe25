"""From a trained checkpoint to a version on Triton, behind a parity gate and a speed gate."""

from exporters.checkpoint_export import ExportedVersion, export
from exporters.errors import ExportRefused
from exporters.settings import ExportSettings

__all__ = ["ExportRefused", "ExportSettings", "ExportedVersion", "export"]
