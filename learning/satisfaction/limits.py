"""How much feedback a request may contain, as `protos/shopfront/v1/feedback.proto` says; without imports."""

MAX_ITEMS = 100
MAX_RATINGS = 5
MAX_REASONS = 10
