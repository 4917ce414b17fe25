"""The items that an answer is about: the one whose product page is shown, or those of a cart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router.scenes.settings import SceneSettings
from router.service.cart import CART_UNKNOWN, cart_in_state, just_taken_out, weighed_cart
from router.service.shopper import Shopper
from router.service.validation import CheckedRequest
from snapshot.catalogue import Catalogue

ANCHOR_UNKNOWN = "anchor_unknown"


@dataclass(frozen=True, slots=True)
class Anchors:
    """The items that an answer is about.

    items     int32[a], distinct; None where the answer is about none, and the shopper's history causes
              recall; empty where it is about one that the catalogue lacks
    weights   float32[a]; None = equal
    degraded  what the request named and the catalogue lacks
    left_out  int32[r], what the page must not show, since it was just taken out of the cart; None = nothing
    """

    items: NDArray[np.int32] | None
    weights: NDArray[np.float32] | None = None
    degraded: tuple[str, ...] = ()
    left_out: NDArray[np.int32] | None = None


def find_anchors(
    catalogue: Catalogue, asked: CheckedRequest, shopper: Shopper, scene: SceneSettings, now: int
) -> Anchors:
    """What the answer of one scene is about, at unix second `now`.

    The item of the request; else what the catalogue knows of its cart; else, in scenes that say so, the cart
    of the shopper's cart events. In these scenes, what was just taken out of the cart is left out.
    """
    found = _anchors(catalogue, asked, shopper, scene, now)
    if scene.cart is None or not shopper.taken_out.items.size:
        return found
    return replace(found, left_out=just_taken_out(shopper, now, scene.cart.removed_hours))


def _anchors(
    catalogue: Catalogue, asked: CheckedRequest, shopper: Shopper, scene: SceneSettings, now: int
) -> Anchors:
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
        cart = cart_in_state(shopper, now, scene.cart.from_state_hours)
        if cart.items.size:
            return Anchors(cart.items, cart.weights)
    return Anchors(None)
