"""Rankers that learn from what is known of a candidate: their examples, losses and networks."""
