"""A query needs its scene and time only; what is left out is empty, typed and cannot be changed."""

import dataclasses

import numpy as np
import pytest

from recall.query import Query

DTYPES = {
    "history_items": np.int32,
    "history_events": np.uint8,
    "history_ts": np.int64,
    "triggers": np.int32,
    "trigger_weights": np.float32,
    "profile_codes": np.int32,
    "context_codes": np.int32,
    "excluded": np.int32,
    "purchased_items": np.int32,
    "purchased_ts": np.int64,
}
LENGTHS = {"profile_codes": 4, "context_codes": 3}


def test_what_is_left_out_is_empty_and_read_only() -> None:
    query = Query(scene="home", now=1)
    arrays = {name: value for name, value in vars_of(query).items() if isinstance(value, np.ndarray)}
    assert {name: array.dtype for name, array in arrays.items()} == DTYPES
    for name, array in arrays.items():
        assert array.tolist() == [0] * LENGTHS.get(name, 0)
        assert not array.flags.writeable
    for mapping in (query.profile, query.model_versions, query.arms, query.features):
        assert dict(mapping) == {}
        with pytest.raises(TypeError):
            mapping["x"] = "y"  # type: ignore[index]
    assert query.user_id == ""


def vars_of(query: Query) -> dict[str, object]:
    """The query's fields by name."""
    return {field.name: getattr(query, field.name) for field in dataclasses.fields(query)}
