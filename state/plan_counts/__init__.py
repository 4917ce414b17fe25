"""Exposures under plans: counted by each replica, summed over all of them."""
