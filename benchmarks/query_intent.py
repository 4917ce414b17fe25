"""Query-intent vectors on public search results: graded beside BM25 and word vectors without the transfer.

Crowdflower's results are pairs of a search and a product, graded 1 to 4 by people. Folds 1 to 8 (test: 1 to
9) stand in for a log: products of grade 3 and 4 are what a search led to. Two products that the same searches
led to have the same vector, drawn at random for each search; what words mean is learned from the titles of
these products and from the searches (`recall.search.word_vectors_build`). A product is then graded by the
cosine of the search's and its title's vectors. Nothing else is known of the products of the fold that is
graded. With `--new-searches` the folds are drawn by search instead, so that none of those graded is known.

Run `python -m benchmarks.query_intent [--test] [--new-searches] [--json build/benchmarks/query_intent.json]`.
Files are read from `shared/data` beside the checkout. Settings are chosen on fold 9; fold 10 is the test.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse.linalg
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.public_data import SHARED
from foundation.statistics.bootstrap import grouped_interval
from recall.search.word_vectors import WordVectors
from recall.search.word_vectors_build import counted, rarity_of, transferred, vocabulary_of, weighted
from recall.search.words import terms_of
from snapshot.durable_files import write_durably

FILE = SHARED / "crowdflower_search" / "relevance.parquet"
FOLDS = 10
GOOD = 3
"""Grade from which a product counts as what a search led to."""
HEAD = 10
FEWEST = 2
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
SHARES = (0.3, 0.5, 1.0)
PLAIN_DIMENSIONS = 64
K1, B = 1.2, 0.5

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Graded pairs, as columns of equal length."""

    query: list[str]
    title: list[str]
    grade: NDArray[np.int64]
    known: NDArray[np.bool_]
    """bool[n], pairs that are learned from."""
    graded: NDArray[np.bool_]
    """bool[n], pairs that are graded."""


def read_pairs(path: Path, test: bool, new_searches: bool) -> Pairs:
    """The pairs of the file, in the order of their ids."""
    table = pl.read_parquet(path).sort("id")
    query = table["query"].to_list()
    fold = table["fold"].to_numpy()
    if new_searches:
        distinct = sorted(set(query))
        place = np.random.default_rng(0).permutation(len(distinct)) % FOLDS + 1
        by_query = dict(zip(distinct, place.tolist(), strict=True))
        fold = np.array([by_query[each] for each in query])
    last = FOLDS if test else FOLDS - 1
    return Pairs(
        query,
        table["product_title"].to_list(),
        table["median_relevance"].to_numpy(),
        fold < last,
        fold == last,
    )


def bm25(pairs: Pairs) -> Scores:
    """BM25 of each title for its search, over all titles, per word of the search."""
    codes = vocabulary_of(pairs.title, 1)
    counts = counted(pairs.title, codes)
    having = np.bincount(counts.indices, minlength=len(codes))
    rarity = np.log((len(pairs.title) - having + 0.5) / (having + 0.5) + 1)
    length = np.asarray(counts.sum(axis=1)).ravel()
    scores = np.zeros(len(pairs.title))
    for row, query in enumerate(pairs.query):
        words = set(terms_of(query))
        begin, end = counts.indptr[row : row + 2]
        times = dict(zip(counts.indices[begin:end].tolist(), counts.data[begin:end].tolist(), strict=True))
        scale = K1 * (1 - B + B * length[row] / length.mean())
        found = [(codes[word], times.get(codes[word], 0.0)) for word in words if word in codes]
        scores[row] = sum(rarity[code] * n * (K1 + 1) / (n + scale) for code, n in found) / len(words)
    return scores


def plain_vectors(pairs: Pairs) -> WordVectors:
    """Word vectors without the transfer: latent semantic analysis of the known titles."""
    titles = [title for title, known in zip(pairs.title, pairs.known, strict=True) if known]
    codes = vocabulary_of(titles, FEWEST)
    counts = counted(titles, codes)
    rarity = rarity_of(counts)
    made = scipy.sparse.linalg.svds(
        weighted(counts, rarity).astype(np.float64), k=PLAIN_DIMENSIONS, random_state=0
    )
    return WordVectors(list(codes), rarity, np.ascontiguousarray(made[2].T, np.float32))


def intent_vectors(pairs: Pairs, strength: float) -> WordVectors:
    """Word vectors in the space of what the known searches led to."""
    led = np.flatnonzero(pairs.known & (pairs.grade >= GOOD))
    queries = [pairs.query[row] for row in led]
    titles = [pairs.title[row] for row in led]
    _, number = np.unique(queries, return_inverse=True)
    space = np.eye(int(number.max()) + 1, dtype=np.float32)
    vectors = np.concatenate((space[number], space[number]))
    return transferred([*queries, *titles], vectors, np.ones(len(vectors)), fewest=FEWEST, strength=strength)


def likeness(words: WordVectors, pairs: Pairs) -> Scores:
    """Cosine of each search and its title."""
    return np.asarray((words.of_texts(pairs.query) * words.of_texts(pairs.title)).sum(axis=1), np.float64)


def grades(scores: Scores, pairs: Pairs) -> dict[str, float]:
    """NDCG@10 by search with its 95 % interval, gains 2^grade − 1, and Spearman over all graded pairs.

    Searches whose graded products have all the same grade say nothing and are left out of NDCG.
    """
    rows = np.flatnonzero(pairs.graded)
    queries = np.array([pairs.query[row] for row in rows])
    values = []
    for query in np.unique(queries):
        mine = rows[queries == query]
        gain = 2.0 ** pairs.grade[mine] - 1
        if np.unique(gain).size < 2:
            continue
        discount = 1 / np.log2(np.arange(2, min(gain.size, HEAD) + 2))
        order = np.argsort(-scores[mine], kind="stable")[:HEAD]
        values.append((gain[order] * discount).sum() / (np.sort(gain)[::-1][:HEAD] * discount).sum())
    ndcg = np.array(values)
    low, high = grouped_interval(ndcg, np.arange(ndcg.size), np.random.default_rng(0), 300)
    rank = spearmanr(scores[rows], pairs.grade[rows])[0]
    return {"ndcg@10": float(ndcg.mean()), "low": low, "high": high, "spearman": float(rank)}


def measure(pairs: Pairs) -> dict[str, dict[str, float]]:
    """A row for each way of grading; standardised scores are added with the stated weights."""

    def standard(scores: Scores) -> Scores:
        known = scores[pairs.known]
        return np.asarray((scores - known.mean()) / known.std())

    words = bm25(pairs)
    plain = likeness(plain_vectors(pairs), pairs)
    rows = {
        "BM25": words,
        "word vectors without transfer": plain,
        "word vectors without transfer + BM25": standard(plain) + standard(words),
    }
    for strength in STRENGTHS:
        intent = likeness(intent_vectors(pairs, strength), pairs)
        rows[f"query intent, strength {strength:g}"] = intent
        for share in SHARES:
            rows[f"query intent, strength {strength:g} + {share:g} BM25"] = standard(
                intent
            ) + share * standard(words)
    return {name: grades(scores, pairs) for name, scores in rows.items()}


def main() -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--test", action="store_true", help="grade fold 10, which nothing was chosen on")
    parser.add_argument("--new-searches", action="store_true", help="grade searches that are not known")
    parser.add_argument("--data", type=Path, default=FILE)
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/query_intent.json"))
    options = parser.parse_args()
    rows = measure(read_pairs(options.data, options.test, options.new_searches))
    for name, values in rows.items():
        print(f"{name:42s}" + "  ".join(f"{column} {value:.4f}" for column, value in values.items()))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(rows, indent=2).encode())


if __name__ == "__main__":
    main()
