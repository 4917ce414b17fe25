"""The router's RPC services: one table from which ingresses, health, reflection and limits are derived."""
