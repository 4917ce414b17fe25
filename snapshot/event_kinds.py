"""The kinds of events that shops report, each declared once: what everything else does with one follows.

A new kind takes an entry here, a value of `EventType` in `protos/shopfront/v1/event.proto`, and
`make protos docs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MAX_CODE = 8
"""The learner keeps which kinds happened to an item of an answer in the bits of one byte; the codes of
`state.feedback_codes` begin at 10."""

Role = Literal["impression", "consideration", "purchase", "correction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind of event.

    Attributes:
        code: 1…8, the value in `EventType`. Codes are written into logs, records, data sets and models: never
            give one a new meaning.
        role: "impression": the item was shown. "consideration": interest short of a purchase. "purchase": the
            item was bought. These three are the events of data sets and histories. "correction": takes back
            something done before; it is no interest, so it is kept apart, and no history, counter, model or
            sample has it.
        noun: one such event, as sentences call it.
        synonyms: further names of the kind in shops' files, lower case.
        absent: what a shop gives up that has no such events.
        scores: number of such events of a shopper on an item → the behaviour score, 0…5, from that number on
            (`features.behaviour_score`). The score of a single one is the kind's strength in recall. Empty
            where the kind is no interest.
        sample_weight: what a take of this kind counts where the sample rule `graded_labels` weighs, 0…100.
        cart: 1 puts the item into the cart, −1 takes it out, 0 does neither. Records and files of removals
            hold no code, so one kind alone is −1.
        live_signal: one of `state.live_counters.decay.SIGNALS` that counts such events; "" = none.
    """

    code: int
    role: Role
    noun: str
    absent: str
    synonyms: tuple[str, ...] = ()
    scores: Mapping[int, float] = field(default_factory=dict)
    sample_weight: float = 1.0
    cart: Literal[-1, 0, 1] = 0
    live_signal: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError where the code is out of range, or the scores do not fit the role."""
        if not 1 <= self.code <= MAX_CODE:
            raise ValueError(f"the code of {self.noun} is {self.code}; 1 to {MAX_CODE} is possible")
        if self.is_interest != (1 in self.scores):
            raise ValueError(f"scores of {self.noun} must begin at 1 event, and only interest has scores")
        if list(self.scores) != sorted(self.scores):
            raise ValueError(f"the numbers of events in the scores of {self.noun} must ascend")

    @property
    def is_interest(self) -> bool:
        """Whether the kind says that the shopper wants the item."""
        return self.role in ("consideration", "purchase")


EVENT_KINDS: dict[str, EventKind] = {
    "impression": EventKind(
        code=1,
        role="impression",
        noun="an impression",
        synonyms=("exposure", "show"),
        absent="what was shown and not taken is unknown, so the models draw other items as negatives",
        live_signal="impressions",
    ),
    "view": EventKind(
        code=2,
        role="consideration",
        noun="a view (click)",
        synonyms=("pv", "click", "page_view"),
        absent="the models learn from fewer kinds of interest; interest before a purchase is unknown",
        scores={1: 2.52, 2: 2.9, 3: 3.1, 4: 3.2, 6: 3.3},
        sample_weight=1.0,
        live_signal="views",
    ),
    "favorite": EventKind(
        code=3,
        role="consideration",
        noun="a favourite",
        synonyms=("favourite", "fav", "wishlist"),
        absent="favourites add nothing to interests",
        # Between repeated views and a cart: an explicit wish, but no step towards buying.
        scores={1: 3.6, 2: 3.7},
        sample_weight=2.0,
    ),
    "cart": EventKind(
        code=4,
        role="consideration",
        noun="putting it in the cart",
        synonyms=("addtocart", "add_to_cart"),
        absent="carts add nothing to interests",
        scores={1: 3.9, 2: 4.1, 3: 4.2},
        sample_weight=3.0,
        cart=1,
    ),
    "purchase": EventKind(
        code=5,
        role="purchase",
        noun="a purchase",
        synonyms=("buy", "transaction", "order"),
        absent="nothing is known as bought, so bought items are not filtered and conversion is not measured",
        scores={1: 4.7, 2: 4.9, 3: 5.0},
        sample_weight=4.0,
        live_signal="purchases",
    ),
    "remove_from_cart": EventKind(
        code=6,
        role="correction",
        noun="a removal from the cart",
        synonyms=(
            "removefromcart",
            "removed_from_cart",
            "cart_remove",
            "cart_removal",
            "delete_from_cart",
            "uncart",
        ),
        absent="a cart known by its events keeps what was taken out, until it grows old",
        cart=-1,
    ),
}
"""Name, as in files and, in capitals after `EVENT_TYPE_`, in the contract → the kind."""
