"""The console: pages in a browser over the gRPC contract of a router."""
