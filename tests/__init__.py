from triton_repo.usage_reports import refuse_usage_reports

refuse_usage_reports()
