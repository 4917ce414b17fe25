"""Checkpoints become versions on Triton, behind gates: `exporters.checkpoint_export.export`."""
