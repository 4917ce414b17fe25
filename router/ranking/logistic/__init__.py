"""The last layer of ranking: a logistic regression over recall, memory, popularity and a model's score."""
