"""A plug-in that adds an RPC service: what a shop would write in a package of its own."""
