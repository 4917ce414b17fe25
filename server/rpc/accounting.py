"""Which calls may be in progress at once, by what their method costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from router.errors import OverloadError
from router.service.admission import Admission
from server.rpc.methods import Method

_RETRY_AFTER_S = 1.0


class CallAccounting:
    """Counts the calls in progress on one event loop; every method belongs to it."""

    def __init__(self, admission: Admission) -> None:
        """`admission`: counts the calls of cost `interactive`."""
        self._admission = admission
        self._bulk: dict[str, int] = {}

    def admit(self, method: Method) -> AbstractContextManager[None]:
        """Counts one call of `method` while the block runs.

        Entering raises `OverloadError` where too many are in progress.
        """
        if method.options.cost == "interactive":
            return self._admission.admit()
        return self._admit_bulk(method) if method.options.cost == "bulk" else nullcontext()

    @contextmanager
    def _admit_bulk(self, method: Method) -> Iterator[None]:
        in_progress = self._bulk.get(method.name, 0)
        if in_progress >= method.options.concurrent:
            raise OverloadError(
                _RETRY_AFTER_S, f"{in_progress} of {method.options.concurrent} concurrent calls"
            )
        self._bulk[method.name] = in_progress + 1
        try:
            yield
        finally:
            self._bulk[method.name] -= 1
