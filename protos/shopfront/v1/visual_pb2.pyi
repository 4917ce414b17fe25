from protos.shopfront.v1 import recommend_pb2 as _recommend_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Box(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: float
    top: float
    right: float
    bottom: float
    def __init__(self, left: _Optional[float] = ..., top: _Optional[float] = ..., right: _Optional[float] = ..., bottom: _Optional[float] = ...) -> None: ...

class SearchByImageRequest(_message.Message):
    __slots__ = ("image", "item_id", "box", "user_id", "context", "page_size", "excluded_item_ids", "page_cursor", "with_trace", "timeout_ms", "scene")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    WITH_TRACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    item_id: str
    box: Box
    user_id: str
    context: _recommend_pb2.Context
    page_size: int
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    page_cursor: str
    with_trace: bool
    timeout_ms: int
    scene: str
    def __init__(self, image: _Optional[bytes] = ..., item_id: _Optional[str] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[_recommend_pb2.Context, _Mapping]] = ..., page_size: _Optional[int] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., page_cursor: _Optional[str] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ..., scene: _Optional[str] = ...) -> None: ...

class SearchByImageResponse(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _recommend_pb2.RecommendResponse
    def __init__(self, page: _Optional[_Union[_recommend_pb2.RecommendResponse, _Mapping]] = ...) -> None: ...

class PredictCategoryRequest(_message.Message):
    __slots__ = ("image", "box", "limit")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    box: Box
    limit: int
    def __init__(self, image: _Optional[bytes] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class PredictedCategory(_message.Message):
    __slots__ = ("category", "share")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    category: str
    share: float
    def __init__(self, category: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class PredictCategoryResponse(_message.Message):
    __slots__ = ("categories", "likeness", "degraded", "snapshot_id", "request_id")
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedCompositeFieldContainer[PredictedCategory]
    likeness: float
    degraded: _containers.RepeatedScalarFieldContainer[str]
    snapshot_id: str
    request_id: str
    def __init__(self, categories: _Optional[_Iterable[_Union[PredictedCategory, _Mapping]]] = ..., likeness: _Optional[float] = ..., degraded: _Optional[_Iterable[str]] = ..., snapshot_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...
