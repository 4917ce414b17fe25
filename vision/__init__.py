"""Pictures: decoded safely, encoded once, grouped where nearly identical, and searched by photo."""

from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
