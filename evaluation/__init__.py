"""Offline evaluation of trained models and recall channels."""
