from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot import item_keys

IDS = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(IDS, max_size=20))
def test_keys_are_blake2b_of_the_utf8(ids: list[str]) -> None:
    expected = [int.from_bytes(blake2b(i.encode(), digest_size=8).digest(), "little") for i in ids]
    keys = item_keys(ids)
    assert keys.dtype == np.uint64
    assert keys.tolist() == expected


def test_keys_do_not_change_between_releases() -> None:
    # User state holds these numbers: a change here would orphan it.
    assert hex(item_keys(["1"])[0]) == "0x7637ba9f0342fcf6"


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        item_keys(["\ud800"])
