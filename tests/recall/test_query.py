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
    "anchors": np.int32,
    "anchor_weights": np.float32,
    "profile_codes": np.int32,
    "context_codes": np.int32,
    "excluded": np.int32,
    "purchased_items": np.int32,
    "purchased_ts": np.int64,
    "removed_items": np.int32,
    "removed_ts": np.int64,
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


def test_a_page_about_items_is_caused_by_them_and_does_not_show_them() -> None:
    query = Query(
        scene="home",
        now=1,
        history_items=np.array([4], np.int32),
        triggers=np.array([4], np.int32),
        trigger_weights=np.array([0.5], np.float32),
        excluded=np.array([9], np.int32),
    )
    about = query.about(np.array([7, 8], np.int32))
    assert about.anchors.tolist() == about.triggers.tolist() == [7, 8]
    assert about.trigger_weights.tolist() == about.anchor_weights.tolist() == [1, 1]
    weighed = query.about(np.array([7, 8], np.int32), np.array([1.0, 2.5], np.float32))
    assert weighed.trigger_weights.tolist() == weighed.anchor_weights.tolist() == [1, 2.5]
    assert about.excluded.tolist() == [9, 7, 8]
    assert about.history_items.tolist() == [4]
    nothing = query.about(np.empty(0, np.int32))
    assert nothing.triggers.size == nothing.trigger_weights.size == 0
    assert nothing.excluded.dtype == np.int32
