"""Rules on what the last layer and models learn from: what a take counts as a sample, and which are none."""
