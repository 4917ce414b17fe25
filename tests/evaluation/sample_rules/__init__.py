"""Rules on the samples of the last layer."""
