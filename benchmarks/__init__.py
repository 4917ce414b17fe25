"""Measurements of the service and its parts against plain peers, and faults injected under load."""

from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
