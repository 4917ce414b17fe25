"""Learns the vectors of search words from what was taken because of them (`recall.search.word_vectors`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from recall.search.word_vectors import WordVectors
from recall.search.words import terms_of

_MOST_STEPS = 60
_TOLERANCE = 1e-4


def vocabulary_of(texts: Sequence[str], fewest: int) -> dict[str, int]:
    """Code by word, ascending, of the words that `fewest` texts have."""
    found = Counter(word for text in texts for word in set(terms_of(text)))
    return {word: code for code, word in enumerate(sorted(word for word, n in found.items() if n >= fewest))}


def counted(texts: Sequence[str], codes: dict[str, int]) -> sp.csr_matrix:
    """float32[n, V], how often each text has each word."""
    rows = [[codes[word] for word in terms_of(text) if word in codes] for text in texts]
    columns = np.array([code for row in rows for code in row], np.int32)
    ends = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    made = sp.csr_matrix((np.ones(columns.size, np.float32), columns, ends), shape=(len(texts), len(codes)))
    made.sum_duplicates()
    return made


def rarity_of(counts: sp.csr_matrix) -> NDArray[np.float32]:
    """float32[V], log((1 + n) / (1 + texts that have the word)) + 1."""
    having = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log((1 + counts.shape[0]) / (1 + having)) + 1, np.float32)


def weighted(counts: sp.csr_matrix, rarity: NDArray[np.float32]) -> sp.csr_matrix:
    """float32[n, V], tf-idf with rows of length 1; tf = 1 + log(count)."""
    made = counts.copy()
    made.data = ((1 + np.log(made.data)) * rarity[made.indices]).astype(np.float32)
    length = np.sqrt(np.asarray(made.multiply(made).sum(axis=1)).ravel())
    made.data /= np.repeat(np.where(length > 0, length, 1), np.diff(made.indptr)).astype(np.float32)
    return made


def transferred(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    *,
    fewest: int,
    strength: float,
) -> WordVectors:
    """Word vectors by ridge regression from texts to items.

    Args:
        texts: n searches or titles.
        vectors: float32[n, D], of the item that each led to.
        weights: float64[n], at least 0, what each counts.
        fewest: texts that have a word, for it to have a vector.
        strength: λ, per unit of the mean weight.
    """
    codes = vocabulary_of(texts, fewest)
    counts = counted(texts, codes)
    rarity = rarity_of(counts)
    root = np.sqrt(weights / max(float(weights.mean()), 1e-12))
    rows = sp.diags(root) @ weighted(counts, rarity)
    wanted = (vectors - np.average(vectors, axis=0, weights=weights)) * root[:, None]
    gram = (rows.T @ rows + strength * sp.identity(len(codes), format="csr")).tocsr()
    right = np.asarray(rows.T @ wanted)
    solved = np.zeros((len(codes), vectors.shape[1]), np.float32)
    scale = sp.diags(1 / gram.diagonal())
    for column in range(vectors.shape[1]):
        solved[:, column], _ = scipy.sparse.linalg.cg(
            gram, right[:, column], rtol=_TOLERANCE, maxiter=_MOST_STEPS, M=scale
        )
    return WordVectors(list(codes), rarity, solved)
