"""The format of the feature log, its files, and reading them; `router/feature_log` writes them."""
