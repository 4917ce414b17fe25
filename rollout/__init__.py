"""Canary rollouts: a model version takes over in stages, judged on the way, and rolls back by itself."""
