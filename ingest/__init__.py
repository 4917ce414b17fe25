"""Importers, cleaning, behaviour scores and dense ids: from a shop's files to a data set."""
