"""Checkpoints become versions on Triton, behind gates: `exporters.checkpoint_export.export`."""

from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
