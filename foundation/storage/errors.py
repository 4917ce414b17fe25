"""What the state store raises."""


class StateError(Exception):
    """The store cannot answer: a corrupt record, a full or unreadable environment, a bad URL."""


class StateUnavailable(StateError):
    """The store could not be reached or did not answer in time; every other caller fares alike."""


class StateOverloaded(Exception):
    """The queue of writes is full; nothing of the batch was stored. `retry_after_s` is in seconds."""

    def __init__(self, queued: int, limit: int, retry_after_s: float) -> None:
        self.queued = queued
        self.limit = limit
        self.retry_after_s = retry_after_s
        super().__init__(
            f"the state write queue holds {queued} of at most {limit} events; retry after {retry_after_s:g} s"
        )
