"""Calls for several shoppers, run shopper by shopper.

Dynamic INT8 measures the range of its numbers over a whole call, so that a shopper's scores would depend on
whose are computed beside them. Run one after the other, each shopper's are those of a call alone, to the
byte, at the same speed: what shoppers of a call share is the call.
"""

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise

import numpy as np

Feeds = Mapping[str, np.ndarray]


def run_apart(
    run: Callable[[Feeds], list[np.ndarray]], feeds: Feeds, rows: str, of_candidates: Collection[str]
) -> list[np.ndarray]:
    """What `run` answers for each shopper alone, one after the other.

    Args:
        run: the graph; its outputs have a row for each candidate.
        feeds: inputs of n candidates of B shoppers.
        rows: name of the input that gives each candidate its shopper's row, int32[n].
        of_candidates: names of the inputs, that one among them, with a row for each candidate; the others
            have one for each shopper.

    The graph runs once for all where there is one shopper, or the candidates do not stand by shopper, each
    row with at least one, in ascending order.
    """
    row = feeds[rows]
    shoppers = max((len(values) for name, values in feeds.items() if name not in of_candidates), default=1)
    bounds = _bounds(row, shoppers)
    if bounds is None:
        return run(feeds)
    parts = [
        run(
            {
                name: (
                    np.zeros(end - begin, row.dtype)
                    if name == rows
                    else values[begin:end]
                    if name in of_candidates
                    else values[shopper : shopper + 1]
                )
                for name, values in feeds.items()
            }
        )
        for shopper, (begin, end) in enumerate(pairwise(bounds))
    ]
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _bounds(row: np.ndarray, shoppers: int) -> list[int] | None:
    """Where each shopper's candidates begin, and where the last one's end; None where they run as one."""
    if shoppers < 2 or row.ndim != 1 or not len(row):
        return None
    begins = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    if not np.array_equal(row[begins], np.arange(shoppers)):
        return None
    return [*begins.tolist(), len(row)]
