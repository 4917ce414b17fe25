"""Garbage is not collected while modules are imported, and is as before afterwards."""

import gc

import pytest

from foundation.collection import collection_paused


@pytest.mark.parametrize("before", [True, False])
def test_collection_is_paused_and_then_as_before(before: bool) -> None:
    was = gc.isenabled()
    try:
        gc.enable() if before else gc.disable()
        with collection_paused():
            assert not gc.isenabled()
        assert gc.isenabled() is before
    finally:
        gc.enable() if was else gc.disable()
