"""A shop's own parts, one of each concept, as a plug-in registers them."""
