"""Rules on what the last layer learns from: what a take counts as a sample, and which are none."""
