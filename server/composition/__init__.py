"""Builds the parts of a running service from settings; `server.startup` puts them together."""
