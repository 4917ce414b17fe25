"""How well fingerprints tell a changed copy of a picture from another picture of the same kind and colour.

    python -m benchmarks.near_identical [--pictures 300] [--served | --codes]

Pictures of the validation and test range of Myntra's catalogue (`benchmarks.public_data`) are cropped,
scaled, compressed, marked and shifted in colour. A pair of a picture and its copy is to be recognised, a pair
of the copy and another picture of the same article type and colour is not: one such pair is drawn for each
copy. The threshold of every form is that of best F1 on the validation range, of either of two codes both;
figures are of the test range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.changed_copies import CHANGES, Sample, others_of_a_kind, sample
from benchmarks.picture_features import InProcessEncoder
from vision.fingerprint import fingerprints, hamming
from vision.near_identical import largest_difference
from vision.same_picture import difference, pixels_of, small_copy
from vision.settings import PictureSettings
from vision.structure import structure

_SIDE_OF_HASH, _BITS = 16, 256
_DRAWS = 1000
_BOTH = ("fingerprint", "phash")


Bits = NDArray[np.int64]
"""int64[n, F]: bits in which both pictures of n pairs differ, by each of F codes."""


def differing(prints: NDArray[np.uint8], copies: NDArray[np.uint8], others: Bits) -> tuple[Bits, Bits]:
    """Bits in which copies differ from their pictures, and from another picture of the kind, int64[n, 1]."""

    def bits(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Bits:
        return np.asarray(np.bitwise_count(first ^ second).sum(1), np.int64)[:, None]

    known = others >= 0
    return bits(copies, prints), bits(copies[known], prints[others[known]])


def near(bits: Bits, most: tuple[int, ...]) -> NDArray[np.bool_]:
    """bool[n]: whether pairs differ by at most so many bits of any code."""
    return np.asarray((bits <= most).any(axis=1))


def f1(copies: Bits, others: Bits, most: tuple[int, ...]) -> tuple[float, float, float]:
    """F1, precision and recall where pairs that are `near` are taken for copies."""
    found, wrong = int(near(copies, most).sum()), int(near(others, most).sum())
    precision, recall = found / max(found + wrong, 1), found / len(copies)
    return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall


def best(copies: Bits, others: Bits) -> tuple[int, ...]:
    """Bits of each code, one or two, by which F1 is best; the fewest of these."""

    def taken(bits: Bits) -> NDArray[np.int64]:
        """Pairs taken for copies, by the bits of each code."""
        edges = [np.arange(_BITS + 2)] * bits.shape[1]
        counts = np.histogramdd(bits, edges)[0].astype(np.int64)
        for axis in range(counts.ndim):
            counts = np.flip(np.flip(counts, axis).cumsum(axis), axis)
        # Those that differ by more in every code are not taken.
        more = np.pad(counts, [(0, 1)] * counts.ndim)[(slice(1, _BITS + 1),) * counts.ndim]
        return np.asarray(len(bits) - more)

    found, wrong = taken(copies), taken(others)
    figures = 2 * found / np.maximum(found + wrong + len(copies), 1)
    return tuple(int(each) for each in np.unravel_index(int(np.argmax(figures)), figures.shape))


def hashes(name: str) -> Callable[[list[Image.Image]], NDArray[np.uint8]]:
    """A perceptual hash of `imagehash`, of 256 bits."""
    import imagehash

    function = getattr(imagehash, name)

    def of(pictures: list[Image.Image]) -> NDArray[np.uint8]:
        return np.array([np.packbits(function(each, hash_size=_SIDE_OF_HASH).hash) for each in pictures])

    return of


Prints = tuple[str, NDArray[np.uint8], dict[str, NDArray[np.uint8]]]
"""Name of a form, the bits of the pictures, and of their copies by change."""


def _forms(sampled: Sample, encoder: InProcessEncoder) -> Iterator[Prints]:
    plain = encoder.features(sampled.pictures)
    changed = {name: encoder.features(copies) for name, copies in sampled.copies.items()}
    everything = fingerprints(np.concatenate([plain, *changed.values()]))
    parts = np.split(everything, len(changed) + 1)
    yield "fingerprint", parts[0], dict(zip(changed, parts[1:], strict=True))
    for name in ("phash", "dhash", "average_hash"):
        of = hashes(name)
        yield name, of(sampled.pictures), {key: of(copies) for key, copies in sampled.copies.items()}


@dataclass(frozen=True)
class Judged:
    """Pairs judged by the rule that is served.

    Attributes:
        row: int64[m], the picture whose copy it is.
        change: str[m], what was done to the copy.
        copy: bool[m], whether the other picture is the copy's own.
        found: bool[m], whether the rule takes both for one photograph.
    """

    row: NDArray[np.int64]
    change: NDArray[np.str_]
    copy: NDArray[np.bool_]
    found: NDArray[np.bool_]

    def figures(self, chosen: NDArray[np.bool_]) -> tuple[float, float, float]:
        """F1, precision and recall of chosen pairs, bool[m]."""
        hits = int((self.found & self.copy & chosen).sum())
        wrong = int((self.found & ~self.copy & chosen).sum())
        precision, recall = hits / max(hits + wrong, 1), hits / max(int((self.copy & chosen).sum()), 1)
        return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall

    def interval(self, seed: int) -> tuple[float, float]:
        """95 % interval of F1 over all pairs, by drawing pictures again with all their pairs."""
        rng = np.random.default_rng(seed)
        count = int(self.row.max()) + 1
        values = []
        for _ in range(_DRAWS):
            times = np.bincount(rng.integers(count, size=count), minlength=count)[self.row]
            hits, wrong = (float(times[self.found & kind].sum()) for kind in (self.copy, ~self.copy))
            values.append(2 * hits / (hits + wrong + float(times[self.copy].sum())))
        low, high = np.quantile(values, (0.025, 0.975)).tolist()
        return low, high


def judged(sampled: Sample, others: NDArray[np.int64], encoder: InProcessEncoder) -> Judged:
    """Every pair by the rule by which a build groups: codes that say what is compared, and small copies.

    Features are made only of pictures whose structures do not already say that they are compared.
    """
    settings = PictureSettings()
    plain = [pixels_of(small_copy(each)) for each in sampled.pictures]
    structures = np.stack([structure(each) for each in sampled.pictures])
    features = encoder.features(sampled.pictures)
    rows: list[tuple[int, str, bool, bool]] = []
    for change, copies in sampled.copies.items():
        pairs = [
            (row, partner, copied)
            for row in range(len(copies))
            for partner, copied in ((row, True), (int(others[row]), False))
            if partner >= 0
        ]
        codes = np.stack([structure(each) for each in copies])
        near = np.array(
            [
                hamming(codes[row], structures[partner]) <= settings.compared_structure_bits
                for row, partner, _ in pairs
            ]
        )
        left = sorted({pairs[place][0] for place in np.flatnonzero(~near).tolist()})
        prints = fingerprints(np.concatenate((features, encoder.features([copies[row] for row in left]))))
        print_of = dict(zip(left, prints[len(features) :], strict=True))
        for place, (row, partner, copied) in enumerate(pairs):
            compared = bool(near[place]) or bool(
                hamming(print_of[row], prints[partner]) <= settings.compared_bits
            )
            rows.append(
                (row, change, copied, compared and _one_photograph(plain[partner], copies[row], settings))
            )
    return Judged(*(np.array(column) for column in zip(*rows, strict=True)))


def _one_photograph(plain: NDArray[np.float32], copy: Image.Image, settings: PictureSettings) -> bool:
    most = largest_difference(settings)
    return difference(plain, pixels_of(small_copy(copy)), most).within(most)


def _served(pairs: Judged) -> str:
    everything = np.ones(len(pairs.row), np.bool_)
    low, high = pairs.interval(1)
    figures = "  ".join(f"{value:.4f}" for value in pairs.figures(everything))
    each = "  ".join(
        f"{change} {' '.join(f'{value:.3f}' for value in pairs.figures(pairs.change == change))}"
        for change in CHANGES
    )
    return f"served  F1, precision, recall {figures} (F1 {low:.4f} to {high:.4f})  of each: {each}"


def main() -> None:
    """Prints one row per form, and one of the rule that is served."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=300, help="of either range")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps features")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--served", action="store_true", help="the rule that is served alone")
    parts.add_argument("--codes", action="store_true", help="codes alone")
    given = parser.parse_args()
    encoder = InProcessEncoder(given.cache)
    chosen: dict[str, tuple[int, ...]] = {}
    for split in ("val", "test"):
        sampled = sample(split, given.pictures, seed=1)
        others = others_of_a_kind(sampled.kind, np.random.default_rng(2))
        paired = int((others >= 0).sum())
        print(f"{split}: {len(sampled.pictures)} pictures, {paired} with another of the kind", flush=True)
        if not given.codes:
            print(_served(judged(sampled, others, encoder)), flush=True)
        if given.served:
            continue
        forms = {
            name: {change: differing(prints, changed, others) for change, changed in copies.items()}
            for name, prints, copies in _forms(sampled, encoder)
        }
        first, second = (forms[each] for each in _BOTH)
        forms[" or ".join(_BOTH)] = {
            change: (
                np.hstack((first[change][0], second[change][0])),
                np.hstack((first[change][1], second[change][1])),
            )
            for change in CHANGES
        }
        for name, measured in forms.items():
            same, other = (np.concatenate(each) for each in zip(*measured.values(), strict=True))
            if split == "val":
                chosen[name] = best(same, other)
                continue
            most = chosen[name]
            figures = "  ".join(f"{value:.3f}" for value in f1(same, other, most))
            recalls = "  ".join(
                f"{change} {near(each[0], most).mean():.3f}" for change, each in measured.items()
            )
            bits = " and ".join(map(str, most))
            print(f"{name:20} ≤ {bits} bits  F1, precision, recall {figures}  recall: {recalls}", flush=True)


if __name__ == "__main__":
    main()
