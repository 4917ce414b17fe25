"""What answers requests: one snapshot opened with its channels and pipelines, replaced while requests run."""
