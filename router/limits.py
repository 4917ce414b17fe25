"""How much a request may contain, as the contract says (`protos/shopfront/v1`).

A module without imports: processes that only pass calls on reckon with these.
"""

MAX_SCENES = 10
MAX_EXCLUDED = 1_000
MAX_CITY_CHARACTERS = 128
MAX_TIMEOUT_MS = 10_000
MAX_CART_ITEMS = 200
MAX_EVENTS = 1_000
