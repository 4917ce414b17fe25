"""Matrix_factors' offline side: item factors by implicit ALS, trained by the library `implicit`."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.channel import BuildSource, NothingToRecall
from recall.interactions import interactions_of
from recall.matrix_factors_settings import MatrixFactorsSettings


def item_factors(source: BuildSource, settings: MatrixFactorsSettings) -> NDArray[np.float32]:
    """float32[N + 1, D]: the factors of each item, all zero for one that nobody took and for row 0.

    A shopper's weight of an item is 1 / shoppers(item)^β with the popularity exponent β, on average 1.

    Raises:
        NothingToRecall: no shopper took two items.
        ValueError: `implicit` is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        raise ValueError(
            f"the library implicit, which makes its factors, cannot be imported ({error}): install the extra "
            "factorisation (pip install 'shopfront[factorisation]'), or switch off the channel matrix_factors"
        ) from error
    taken = interactions_of(source, settings.items_per_user)
    if not len(taken.user) or np.bincount(taken.user).max() < 2:
        raise NothingToRecall("no shopper of the log took two items")
    size = source.catalogue.size
    shoppers = np.bincount(taken.item, minlength=size + 1)
    weight = shoppers[taken.item] ** -settings.popularity_exponent
    _, user = np.unique(taken.user, return_inverse=True)
    values = (weight / weight.mean()).astype(np.float32)
    matrix = sp.csr_matrix((values, (user, taken.item)), shape=(int(user.max()) + 1, size + 1))
    model = AlternatingLeastSquares(
        factors=settings.factors,
        regularization=settings.regularisation,
        alpha=settings.confidence,
        iterations=settings.iterations,
        num_threads=settings.build_threads,
        random_state=source.seed & 0x7FFFFFFF,
    )
    model.fit(matrix, show_progress=False)
    factors = np.array(model.item_factors, np.float32)
    factors[shoppers == 0] = 0
    factors[0] = 0
    return factors
