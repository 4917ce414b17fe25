"""The items that an answer is about: the one whose product page is shown, or those of a cart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.scenes.settings import SceneSettings
from router.service.cart import CART_UNKNOWN, cart_in_state, weighed_cart
from router.service.shopper import Shopper
from router.service.validation import CheckedRequest
from snapshot.catalogue import Catalogue

ANCHOR_UNKNOWN = "anchor_unknown"


@dataclass(frozen=True, slots=True)
class Anchors:
    """The items int32[a], distinct, and their weights float32[a].

    None where the answer is about no items, and the shopper's history causes recall. Empty where it is about
    one that the catalogue lacks.
    """

    items: NDArray[np.int32] | None
    weights: NDArray[np.float32] | None = None
    degraded: tuple[str, ...] = ()


def find_anchors(
    catalogue: Catalogue, asked: CheckedRequest, shopper: Shopper, scene: SceneSettings, now: int
) -> Anchors:
    """What the answer of one scene is about, at unix second `now`.

    The item of the request; else what the catalogue knows of its cart; else, in scenes that say so, the cart
    of the shopper's cart events.
    """
    if asked.anchor_item_id:
        items = catalogue.dense([asked.anchor_item_id])
        if items[0] == 0:
            return Anchors(items[:0], degraded=(ANCHOR_UNKNOWN,))
        return Anchors(items)
    if asked.cart_item_ids:
        cart = weighed_cart(catalogue, asked.cart_item_ids, asked.cart_quantities)
        degraded = (CART_UNKNOWN,) if cart.unknown else ()
        return (
            Anchors(cart.items, cart.weights, degraded) if cart.items.size else Anchors(None, None, degraded)
        )
    if scene.cart is not None:
        items = cart_in_state(shopper, now, scene.cart.from_state_hours)
        if items.size:
            return Anchors(items)
    return Anchors(None)
