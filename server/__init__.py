"""Composition of the service from its settings, and the processes and gRPC servers it runs in."""
