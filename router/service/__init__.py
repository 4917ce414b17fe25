"""Answers requests: validates, reads the shopper, runs the scene's pipeline, builds the response.

Knows protobuf messages and the live engine; knows nothing of gRPC, Ray or HAProxy (`server.ingress`).
"""
