"""Codes of what shoppers say, stored as events are: in the log, and in records of the shopper.

They begin above the codes of events (`snapshot.event_kinds.MAX_CODE`). Codes are written into logs and
records: never give one a new meaning.
"""

from __future__ import annotations

import numpy as np

NOT_INTERESTED = 10
"""Do not show the item."""
NOT_INTERESTED_IN_BRAND = 11
"""Do not show items of the item's brand."""
NOT_INTERESTED_IN_CATEGORY = 12
"""Do not show items of the item's category."""
SEEN_TOO_OFTEN = 13
"""The item was shown too often."""
OWNED = 14
"""The shopper has the item, bought here or elsewhere."""
WITHDRAWN = 15
"""Whatever the shopper said of the item before is withdrawn."""

RATED = 20
"""The shopper rated, gave reasons or wrote a comment."""
ASKED = 21
"""The shopper was asked to."""

ITEM_CODES = (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    SEEN_TOO_OFTEN,
    OWNED,
    WITHDRAWN,
)
SURVEY_CODES = (RATED, ASKED)

FEEDBACK_ID_PREFIX = "feedback:"
"""What the `event_id` of feedback, and of no reported event, begins with."""

SURVEY_ID = f"{FEEDBACK_ID_PREFIX}asked"
"""What the `event_id` of a question to a shopper begins with, and no feedback's."""

_ITEM_CODES = np.array(ITEM_CODES, np.uint8)
_SURVEY_CODES = np.array(SURVEY_CODES, np.uint8)


def is_item_feedback(codes: np.ndarray) -> np.ndarray:
    """bool[n], which of the codes uint8[n] say something of an item."""
    return np.isin(codes, _ITEM_CODES)


def is_survey(codes: np.ndarray) -> np.ndarray:
    """bool[n], which of the codes uint8[n] are about a survey."""
    return np.isin(codes, _SURVEY_CODES)
