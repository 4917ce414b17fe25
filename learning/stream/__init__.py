"""From the event log to live counters and labelled samples, each event with effect exactly once."""
