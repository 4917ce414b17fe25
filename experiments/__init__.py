"""Experiments: shoppers are assigned to arms that change a scene, and what they do is compared."""
