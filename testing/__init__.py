"""What tests and benchmarks share: a small shop, tiny models, servers on free ports; not installed."""
