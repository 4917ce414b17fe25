"""Formulas shared by rooms: confidence sequences, ranking metrics, assignment of users to buckets."""
