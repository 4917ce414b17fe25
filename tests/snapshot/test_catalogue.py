from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapshot import Catalogue, ItemIdClash, SnapshotError, catalogue_writer, write_catalogue
from snapshot.item_columns import ITEM_COLUMNS
from tests.snapshot.contents import columns

IDS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), unique=True, max_size=40)


@given(IDS, st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), max_size=20))
@settings(max_examples=40, deadline=None)
def test_ids_and_dense_indices_are_inverse(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], others: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("catalogue") / "catalogue"
    titles = {"title": ["", *(f"«{i}»" for i in ids)]}
    write_catalogue(folder, ids, columns(len(ids)) | titles, {}, {})
    catalogue = Catalogue.open(folder)
    dense = np.arange(1, len(ids) + 1, dtype=np.int32)
    assert catalogue.size == len(ids)
    np.testing.assert_array_equal(catalogue.dense(ids), dense)
    assert catalogue.dense(ids).dtype == np.int32
    assert catalogue.item_ids(dense) == ids
    assert catalogue.titles(dense) == [f"«{i}»" for i in ids]
    np.testing.assert_array_equal(catalogue.dense_from_keys(catalogue.item_keys(dense)), dense)
    expected = [ids.index(other) + 1 if other in ids else 0 for other in others]
    assert catalogue.dense(others).tolist() == expected


def test_columns_names_and_vocabulary_come_back(tmp_path: Path) -> None:
    given_columns = columns(2)
    given_columns["category"] = np.array([0, 2, 1], np.int32)
    given_columns["price"] = np.array([np.nan, 1.5, np.nan], np.float32)
    given_columns["in_stock"] = np.array([False, True, False])
    names = {"category": ["Tea", "Tassen & Töpfe"], "brand": ["Alder"]}
    vocab = {"gender": ["f", "m"]}
    write_catalogue(tmp_path / "catalogue", ["a", "b"], given_columns, names, vocab)
    catalogue = Catalogue.open(tmp_path / "catalogue")
    for name, column in ITEM_COLUMNS.items():
        if column.kind == "text":
            continue
        np.testing.assert_array_equal(catalogue.column(name), given_columns[name])
        assert getattr(catalogue, name) is catalogue.column(name)
        assert catalogue.column(name).dtype == column.dtype
        assert not catalogue.column(name).flags.writeable
    assert [catalogue.code_count(name) for name in ("category", "brand", "shop")] == [2, 1, 0]
    assert catalogue.category_names(catalogue.category) == ["", "Tassen & Töpfe", "Tea"]
    assert catalogue.names("brand", np.array([1, 0])) == ["Alder", ""]
    assert catalogue.names("shop", np.array([0])) == [""]
    assert catalogue.names("standard_category", np.array([0])) == [""]
    assert catalogue.profile_vocab == vocab


def test_an_index_outside_the_catalogue_is_an_error_not_another_item(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue", ["a", "b"], columns(2), {}, {})
    catalogue = Catalogue.open(tmp_path / "catalogue")
    for wrong in (-1, 3):
        with pytest.raises(IndexError, match=f"0…2.*{wrong}"):
            catalogue.item_ids(np.array([1, wrong]))


def test_two_ids_with_one_key_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def colliding(ids: Iterable[str]) -> np.ndarray:
        return np.array([len(i) for i in ids], dtype=np.uint64)

    monkeypatch.setattr(catalogue_writer, "item_keys", colliding)
    with pytest.raises(ItemIdClash, match=r"'teapot' and 'saucer'"):
        write_catalogue(tmp_path / "c", ["cup", "teapot", "saucer"], columns(3), {}, {})
    assert not (tmp_path / "c").exists()


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ItemIdClash, match=r"'a' and 'a'"):
        write_catalogue(tmp_path / "c", ["a", "a"], columns(2), {}, {})


def test_columns_of_wrong_type_length_or_code_are_refused(tmp_path: Path) -> None:
    for name, wrong in (
        ("price", np.zeros(3, np.float64)),
        ("brand", np.zeros(2, np.int32)),
        ("category", np.array([0, 1, 0], np.int32)),
    ):
        with pytest.raises(ValueError, match=name):
            write_catalogue(tmp_path / name, ["a", "b"], columns(2) | {name: wrong}, {}, {})


def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    for file, change in (
        ("price.npy", np.zeros(7, np.float32)),
        ("keys.npy", np.zeros(2, np.int64)),
        ("title.offsets.npy", np.zeros(3, np.int64)),
        ("item_id.offsets.npy", np.array([0, 1, 2, 2, 2], np.int64)),
    ):
        folder = tmp_path / file
        write_catalogue(folder, ["a", "b"], columns(2), {}, {})
        np.save(folder / file, change)
        with pytest.raises(SnapshotError) as failure:
            Catalogue.open(folder)
        assert failure.value.file == file
        assert failure.value.folder == folder
