"""Words get the place of what is taken because of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall.search.word_vectors import WordVectors
from recall.search.word_vectors_build import counted, rarity_of, transferred, vocabulary_of, weighted
from snapshot.manifest import SnapshotError

texts = st.lists(st.text("abcd ", max_size=12), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(texts=texts, seed=st.integers(0, 99), strength=st.sampled_from([0.1, 1.0, 10.0]))
def test_vectors_are_those_of_a_plain_ridge_regression(texts: list[str], seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(texts), 3)).astype(np.float32)
    weights = rng.uniform(0.1, 2.0, len(texts))
    made = transferred(texts, vectors, weights, fewest=1, strength=strength)
    codes = vocabulary_of(texts, 1)
    assert made.words == list(codes) == sorted(codes)
    rows = weighted(counted(texts, codes), rarity_of(counted(texts, codes))).toarray().astype(np.float64)
    counts = np.diag(weights / weights.mean())
    wanted = vectors - np.average(vectors, axis=0, weights=weights)
    expected = np.linalg.solve(
        rows.T @ counts @ rows + strength * np.eye(len(codes)), rows.T @ counts @ wanted
    )
    np.testing.assert_allclose(made.vectors, expected, atol=5e-3)


def test_words_by_which_the_same_is_taken_are_near_though_no_text_has_both(tmp_path) -> None:  # type: ignore[no-untyped-def]
    drink, bread = np.eye(2, dtype=np.float32)
    searches = ["cola", "soda", "cola can", "loaf", "bun", "bun white"] * 3
    vectors = np.stack([drink, drink, drink, bread, bread, bread] * 3)
    words = transferred(searches, vectors, np.ones(18), fewest=2, strength=0.5)
    assert words.related("cola", 2)[0][0] in ("soda", "can")
    assert {word for word, _ in words.related("Cola", 9)} == {"soda", "can"}
    assert words.related("nothing of it", 3) == []
    assert [word for word, _ in words.nearest(bread - drink, 2)]
    (search,) = words.of_texts(["soda loaf loaf"])
    assert np.linalg.norm(search) == pytest.approx(1)
    words.write(tmp_path)
    again = WordVectors.open(tmp_path)
    assert again.words == words.words
    np.testing.assert_array_equal(again.of_texts(searches), words.of_texts(searches))
    (tmp_path / "word_vectors.npy").write_bytes(b"")
    with pytest.raises(SnapshotError):
        WordVectors.open(tmp_path)
