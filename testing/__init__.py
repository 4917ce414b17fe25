"""What tests and benchmarks share: a small shop, tiny models, servers on free ports; not installed."""

from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
