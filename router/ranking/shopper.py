"""Which version of a model belongs to a query."""

from recall.query import Query


def model_version(query: Query, model: str) -> str:
    """The version of a model that belongs to the snapshot answering this query; "" where there is none."""
    return query.model_versions.get(model, "")
