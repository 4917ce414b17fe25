"""Measurements of the service and its parts against plain peers, and faults injected under load."""
