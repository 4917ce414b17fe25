"""Promotions, bounds of price, and places: what a scene's business rules leave of the candidates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from router.filters.registry import FILTERS
from router.tables.component import Parts
from snapshot import Catalogue, write_catalogue
from tests.router.filters.test_filters import candidates, shopper
from tests.snapshot.contents import columns

SIZE = 6
PRICES = [1.0, 2.0, 5.0, 8.0, 20.0, np.nan]
LISTED = [2.0, 2.0, np.nan, 8.4, 40.0, 10.0]
PLACES = [0, 1, 2, 0, 1, 2]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    written = columns(SIZE)
    written["price"][0] = np.nan
    written["price"][1:] = PRICES
    written["list_price"][1:] = LISTED
    written["price_band"][1:] = [1, 3, 5, 7, 10, 0]
    written["region"][1:] = PLACES
    return opened(tmp_path_factory.mktemp("catalogue"), written, {"region": ["Bonn", "Köln"]})


def opened(folder: Path, written: dict[str, object], names: dict[str, list[str]]) -> Catalogue:
    write_catalogue(folder / "c", [f"i{item}" for item in range(SIZE)], written, names, {})  # type: ignore[arg-type]
    return Catalogue.open(folder / "c")


def kept(catalogue: Catalogue, name: str, city: str | None = None, **settings: object) -> list[int]:
    kind = FILTERS[name]
    query = replace(shopper(), profile={} if city is None else {"city": city})
    found = candidates(list(range(1, SIZE + 1)))
    mask = kind.create(Parts(catalogue, {}), kind.settings(**settings)).keep(query, found)
    assert mask.dtype == np.bool_
    assert mask.shape == (SIZE,)
    return found.items[mask].tolist()


def test_promotions_are_what_is_reduced_by_enough(catalogue: Catalogue) -> None:
    # Item 4 is reduced by less than a twentieth, 3 has no list price, 6 no price.
    assert kept(catalogue, "promotion") == [1, 5]
    assert kept(catalogue, "promotion", least=0.04) == [1, 4, 5]
    assert kept(catalogue, "promotion", least=0.5) == [1, 5]
    assert kept(catalogue, "promotion", least=0.51) == []


def test_prices_are_bounded_by_themselves_and_by_their_band(catalogue: Catalogue) -> None:
    assert kept(catalogue, "price_range") == [1, 2, 3, 4, 5, 6]
    assert kept(catalogue, "price_range", minimum=2.0, maximum=8.0) == [2, 3, 4, 6]
    assert kept(catalogue, "price_range", minimum=2.0, maximum=8.0, unknown=False) == [2, 3, 4]
    assert kept(catalogue, "price_range", lowest_band=5, highest_band=7, unknown=False) == [3, 4]
    for wrong in ({"minimum": 3.0, "maximum": 2.0}, {"lowest_band": 4, "highest_band": 3}):
        with pytest.raises(ValidationError, match="must not be below"):
            FILTERS["price_range"].settings(**wrong)


def test_a_shopper_sees_what_is_sold_everywhere_and_where_they_are(catalogue: Catalogue) -> None:
    assert kept(catalogue, "region", "Bonn") == [1, 2, 4, 5]
    assert kept(catalogue, "region", " KÖLN ") == [1, 3, 4, 6]
    assert kept(catalogue, "region", "Paris") == [1, 4]
    assert kept(catalogue, "region") == [1, 2, 3, 4, 5, 6]
    assert kept(catalogue, "region", unknown_shopper=False) == [1, 4]
    with pytest.raises(ValidationError, match="must be an item column of names"):
        FILTERS["region"].settings(by="price")


def test_a_catalogue_without_these_columns_has_no_promotions_and_sells_everywhere(tmp_path: Path) -> None:
    written = {name: each for name, each in columns(SIZE).items() if name not in ("region", "list_price")}
    catalogue = opened(tmp_path, written, {})
    assert kept(catalogue, "promotion") == []
    assert kept(catalogue, "region", "Bonn") == [1, 2, 3, 4, 5, 6]
