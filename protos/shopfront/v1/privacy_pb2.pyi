from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportShopperRequest(_message.Message):
    __slots__ = ("user_id", "page_token")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    page_token: str
    def __init__(self, user_id: _Optional[str] = ..., page_token: _Optional[str] = ...) -> None: ...

class ExportShopperResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[ShopperRecord]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[ShopperRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ShopperRecord(_message.Message):
    __slots__ = ("place", "json")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    place: str
    json: str
    def __init__(self, place: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class DeleteShopperRequest(_message.Message):
    __slots__ = ("user_id", "defer_compaction")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DEFER_COMPACTION_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    defer_compaction: bool
    def __init__(self, user_id: _Optional[str] = ..., defer_compaction: _Optional[bool] = ...) -> None: ...

class DeleteShopperResponse(_message.Message):
    __slots__ = ("found", "deleted_until_ms", "removed", "compacted", "pending", "remaining")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    DELETED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    COMPACTED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    found: bool
    deleted_until_ms: int
    removed: _containers.RepeatedCompositeFieldContainer[RemovedData]
    compacted: _containers.RepeatedScalarFieldContainer[str]
    pending: _containers.RepeatedCompositeFieldContainer[PendingData]
    remaining: _containers.RepeatedCompositeFieldContainer[RemainingData]
    def __init__(self, found: _Optional[bool] = ..., deleted_until_ms: _Optional[int] = ..., removed: _Optional[_Iterable[_Union[RemovedData, _Mapping]]] = ..., compacted: _Optional[_Iterable[str]] = ..., pending: _Optional[_Iterable[_Union[PendingData, _Mapping]]] = ..., remaining: _Optional[_Iterable[_Union[RemainingData, _Mapping]]] = ...) -> None: ...

class RemovedData(_message.Message):
    __slots__ = ("place", "what", "count")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    place: str
    what: str
    count: int
    def __init__(self, place: _Optional[str] = ..., what: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class PendingData(_message.Message):
    __slots__ = ("place", "what", "until")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    place: str
    what: str
    until: str
    def __init__(self, place: _Optional[str] = ..., what: _Optional[str] = ..., until: _Optional[str] = ...) -> None: ...

class RemainingData(_message.Message):
    __slots__ = ("place", "what", "fate")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    FATE_FIELD_NUMBER: _ClassVar[int]
    place: str
    what: str
    fate: str
    def __init__(self, place: _Optional[str] = ..., what: _Optional[str] = ..., fate: _Optional[str] = ...) -> None: ...
