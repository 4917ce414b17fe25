"""Canary rollouts: a model version takes over in stages, is judged in each, and rolls back automatically."""
