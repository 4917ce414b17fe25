"""Models on Triton: their configurations and versions, and the server that runs them."""

from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
