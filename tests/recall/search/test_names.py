"""Names of groups as people write them: paths, several at once, case and accents."""

from pathlib import Path

import numpy as np
import pytest

from recall.search.names import GroupNames
from snapshot import Catalogue, write_catalogue
from tests.snapshot.contents import columns as empty_columns

NAMES = ["Comedy", "Comédy|Drama", "Drama", "Film > Drama|Film > War", "Filmed", "|", "战争|剧情"]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder: Path = tmp_path_factory.mktemp("names")
    columns = empty_columns(len(NAMES))
    columns["category"][1:] = np.arange(1, len(NAMES) + 1)
    ids = [f"i{code}" for code in range(1, len(NAMES) + 1)]
    write_catalogue(folder / "catalogue", ids, columns, {"category": NAMES}, {})
    return Catalogue.open(folder / "catalogue")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("comedy", {1, 2}),
        ("Drama", {2, 3}),
        ("COMEDY|DRAMA", {2}),
        ("film", {4}),
        ("Film>War", {4}),
        ("film > drama", {4}),
        ("film > drama|film > war", {4}),
        ("剧情", {7}),
        ("war", set()),
        ("", set()),
        ("|", {6}),
    ],
)
def test_a_group_of_several_names_is_found_by_each(catalogue: Catalogue, asked: str, found: set[int]) -> None:
    names = GroupNames(catalogue, "category", ">", "|")
    assert set(np.flatnonzero(names.find(asked)).tolist()) == found


def test_without_a_separator_a_name_is_one(catalogue: Catalogue) -> None:
    names = GroupNames(catalogue, "category", ">")
    assert np.flatnonzero(names.find("comedy")).tolist() == [1]
    assert np.flatnonzero(names.find("comedy|drama")).tolist() == [2]
