"""Examples from judged searches: products with grades of relevance, and how their texts meet the query's."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.rankers.examples import Examples, Float32, Float64, Ranges

NAMES = (
    "title.bm25", "description.bm25", "title.cosine", "description.cosine", "title.trigrams", "title.share",
    "description.share", "title.phrase", "description.phrase", "title.order", "title.missing_idf",
    "title.first", "query.words", "title.words", "description.words", "query.mean_idf",
    "title.cosine.of_query", "title.bm25.of_query",
)  # fmt: skip
_WORD = re.compile(r"[a-z0-9]+")
_K1, _B = 1.2, 0.75
FOLDS = 5


def search_examples(judged: pl.DataFrame, seed: int) -> list[Ranges]:
    """Queries dealt to five folds at random; in each of the `Ranges` one is measured, and the next chosen by.

    judged: query, product_title, product_description and median_relevance 1…4, a row per pair.

    A plural's s is cut off. Weights of words and mean lengths are of all products, as a shop knows all of its
    own; grades enter the fit alone. Grades are 0…3.
    """
    judged = judged.sort("query", maintain_order=True)
    names, query = np.unique(judged["query"].to_numpy(), return_inverse=True)
    alone = _inputs(judged)
    within = _within(alone[:, [2, 0]], query)
    inputs: Float32 = np.concatenate((alone, within), axis=1, dtype=np.float32)
    grades = judged["median_relevance"].to_numpy().astype(np.int64) - 1
    fold = np.random.default_rng(seed).permutation(names.size) % FOLDS
    ranges = []
    for test in range(FOLDS):
        valid = (test + 1) % FOLDS
        masks = (fold != test) & (fold != valid), fold == valid, fold == test
        train, chosen_by, measured = (_part(inputs, grades, query, np.flatnonzero(mask)) for mask in masks)
        ranges.append(Ranges(train, chosen_by, measured, NAMES))
    return ranges


def _part(
    inputs: Float32, grades: NDArray[np.int64], query: NDArray[np.int64], chosen: NDArray[np.int64]
) -> Examples:
    rows = np.flatnonzero(np.isin(query, chosen))
    units, number = np.unique(query[rows], return_inverse=True)
    return Examples(inputs[rows], grades[rows], number.astype(np.int64), units.astype(np.int64))


def _words(text: str | None) -> list[str]:
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") else word
        for word in _WORD.findall((text or "").lower())
    ]


def _inputs(judged: pl.DataFrame) -> Float64:
    """float64[n, F − 2]: the columns of `NAMES` but those within a query."""
    asked = [_words(text) for text in judged["query"]]
    titles = [_words(text) for text in judged["product_title"]]
    descriptions = [_words(text) for text in judged["product_description"]]
    weights = [_idf(texts) for texts in (titles, descriptions)]
    lengths = [float(np.mean([len(text) for text in texts])) for texts in (titles, descriptions)]
    rows = []
    for wanted, title, description in zip(asked, titles, descriptions, strict=True):
        distinct = list(dict.fromkeys(wanted))
        idf = np.array([weights[0].get(word, weights[0][""]) for word in distinct])
        found = np.array([word in title for word in distinct], float)
        places = [title.index(word) for word in distinct if word in title]
        rows.append(
            [
                _bm25(distinct, title, weights[0], lengths[0]),
                _bm25(distinct, description, weights[1], lengths[1]),
                _cosine(distinct, title, weights[0]),
                _cosine(distinct, description, weights[1]),
                _jaccard(_trigrams(wanted), _trigrams(title)),
                float(found.mean()) if distinct else 0.0,
                float(np.mean([word in description for word in distinct])) if distinct else 0.0,
                float(" ".join(wanted) in " ".join(title)),
                float(" ".join(wanted) in " ".join(description)),
                float(places == sorted(places) and len(places) > 1),
                float((idf * (1 - found)).sum()),
                1 / (1 + min(places)) if places else 0.0,
                float(len(wanted)),
                np.log1p(len(title)),
                np.log1p(len(description)),
                float(idf.mean()) if distinct else 0.0,
            ]
        )
    return np.array(rows, np.float64)


def _idf(texts: Sequence[list[str]]) -> dict[str, float]:
    """Inverse document frequencies by word; under the empty word that of an unknown one."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(text):
            counts[word] = counts.get(word, 0) + 1
    total = len(texts)
    known = {word: float(np.log1p((total - count + 0.5) / (count + 0.5))) for word, count in counts.items()}
    return known | {"": float(np.log1p(2 * total + 1))}


def _bm25(wanted: list[str], text: list[str], idf: dict[str, float], length: float) -> float:
    """BM25 (Robertson and Zaragoza 2009) of distinct words."""
    scale = _K1 * (1 - _B + _B * len(text) / max(length, 1.0))
    return sum(
        idf.get(word, idf[""]) * count * (_K1 + 1) / (count + scale)
        for word in wanted
        if (count := text.count(word))
    )


def _cosine(wanted: list[str], text: list[str], idf: dict[str, float]) -> float:
    """Cosine of the two texts as sets of words, each weighted by its inverse document frequency."""
    mine, other = set(wanted), set(text)
    norms = [np.sqrt(sum(idf.get(word, idf[""]) ** 2 for word in words)) for words in (mine, other)]
    if not all(norms):
        return 0.0
    return float(sum(idf.get(word, idf[""]) ** 2 for word in mine & other) / (norms[0] * norms[1]))


def _trigrams(words: list[str]) -> set[str]:
    text = f" {' '.join(words)} "
    return {text[at : at + 3] for at in range(len(text) - 2)}


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _within(columns: Float64, query: NDArray[np.int64]) -> Float64:
    """Columns less their mean over the query's candidates."""
    sizes = np.bincount(query)[:, None]
    means = np.stack([np.bincount(query, column) for column in columns.T], axis=1) / sizes
    return np.asarray(columns - means[query], np.float64)
