"""The ranker that learns while the shop runs: its hashed inputs and its published weights."""
