"""Models: one registration each, their networks, samples, training and checkpoints."""
