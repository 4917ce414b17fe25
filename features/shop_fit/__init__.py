"""Settings that follow from what ingest measured on the shop's log, where the shop left them open."""
