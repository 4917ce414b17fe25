"""`shopfront.v1.PrivacyService`: a shopper's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from protos.shopfront.v1 import privacy_pb2
from router.errors import CallerError, ForbiddenError
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from server.privacy.process import PrivacyWorkers
    from server.running_service import RunningService

_REQUEST_BYTES = 4 * 1024
_MOST_SKIPPED = 100_000_000


class PrivacyHandler:
    """Answers through workers of this replica."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._running = running

    @property
    def _workers(self) -> PrivacyWorkers:
        """Raises `ForbiddenError` where this router gives nothing out."""
        if self._running.privacy_refused:
            raise ForbiddenError(self._running.privacy_refused)
        return self._running.privacy

    async def ExportShopper(
        self, request: privacy_pb2.ExportShopperRequest, call: Call
    ) -> privacy_pb2.ExportShopperResponse:
        """A part of everything held of a shopper."""
        workers = self._workers
        _require_id(request.user_id)
        token = request.page_token
        if token and not (token.isdecimal() and token.isascii() and int(token[:10]) < _MOST_SKIPPED):
            raise CallerError.of("page_token", "is not one of an answer; leave it empty to begin")
        part = await workers.export(request.user_id, int(token[:10] or 0))
        return privacy_pb2.ExportShopperResponse(
            records=[
                privacy_pb2.ShopperRecord(
                    place=each.place, json=msgspec.json.encode(each.record).decode("utf-8")
                )
                for each in part.records
            ],
            next_page_token=str(part.next) if part.next else "",
        )

    async def DeleteShopper(
        self, request: privacy_pb2.DeleteShopperRequest, call: Call
    ) -> privacy_pb2.DeleteShopperResponse:
        """Deletes everything held of a shopper."""
        workers = self._workers
        _require_id(request.user_id)
        report = await workers.delete(request.user_id, compact=not request.defer_compaction)
        return privacy_pb2.DeleteShopperResponse(
            found=report.found,
            deleted_until_ms=report.deleted_until_ms,
            removed=[
                privacy_pb2.RemovedData(place=each.place, what=each.what, count=each.count)
                for each in report.removed
            ],
            compacted=report.compacted,
            pending=[
                privacy_pb2.PendingData(place=each.place, what=each.what, until=each.until)
                for each in report.pending
            ],
            remaining=[
                privacy_pb2.RemainingData(place=each.place, what=each.what, fate=each.fate)
                for each in report.remaining
            ],
        )


def _require_id(user_id: str) -> None:
    # Only in a replica: the room imports NumPy, which processes that only pass calls on do without.
    from snapshot.id_limit import MAX_ID_BYTES

    if not 1 <= len(user_id.encode()) <= MAX_ID_BYTES:
        raise CallerError.of("user_id", f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8")


SERVICE = Service(
    privacy_pb2.DESCRIPTOR.services_by_name["PrivacyService"],
    PrivacyHandler,
    MethodOptions(cost="bulk", concurrent=1, request_bytes=_REQUEST_BYTES, operators=True),
)
