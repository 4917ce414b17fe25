"""The build's partitioned work on the nodes of a Ray cluster."""
