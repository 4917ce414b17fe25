"""Ingresses: gRPC adapters around the services of `server.rpc`, and starting them as processes.

`serve_haproxy` (default) lets Ray Serve and HAProxy receive the calls; `own_grpc` runs a `grpc.aio` server
inside each replica. Both pass every call to `calls.CallHandler` and add nothing of their own to an answer.
"""
