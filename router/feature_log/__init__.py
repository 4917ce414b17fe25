"""The feature log: what the scorers saw of each shown item, and its probability, for learners."""
