"""What is known of an anonymous shopper: nothing, or the profile of the crowd that is asked for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from router.service.shopper import read_shopper
from snapshot import Catalogue, write_catalogue
from state.store import StateStore
from tests.snapshot.contents import columns


def test_an_anonymous_shopper_has_the_profile_of_the_crowd_and_the_city_of_the_request(
    tmp_path: Path,
) -> None:
    vocab = {"gender": ["f", "m"], "city": ["Bonn"]}
    write_catalogue(tmp_path / "catalogue", ["i1"], columns(1), {}, vocab)
    catalogue = Catalogue.open(tmp_path / "catalogue")
    # Nobody's state is read, so there is no store.
    store = cast(StateStore, None)
    nobody = asyncio.run(read_shopper(store, catalogue, "", ""))
    crowd = asyncio.run(read_shopper(store, catalogue, "", "Bonn", crowd={"gender": "m"}))
    assert (dict(nobody.profile), nobody.profile_codes.tolist()) == ({}, [0, 0, 0, 0])
    assert (dict(crowd.profile), crowd.profile_codes.tolist()) == (
        {"gender": "m", "city": "Bonn"},
        [2, 0, 1, 0],
    )
