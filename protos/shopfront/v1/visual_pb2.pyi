from protos.shopfront.v1 import recommend_pb2 as _recommend_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PictureOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PICTURE_OUTCOME_UNSPECIFIED: _ClassVar[PictureOutcome]
    PICTURE_OUTCOME_STORED: _ClassVar[PictureOutcome]
    PICTURE_OUTCOME_DELETED: _ClassVar[PictureOutcome]
    PICTURE_OUTCOME_UNCHANGED: _ClassVar[PictureOutcome]
    PICTURE_OUTCOME_REFUSED: _ClassVar[PictureOutcome]

class OutfitEvidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTFIT_EVIDENCE_UNSPECIFIED: _ClassVar[OutfitEvidence]
    OUTFIT_EVIDENCE_SETS: _ClassVar[OutfitEvidence]
    OUTFIT_EVIDENCE_BASKETS: _ClassVar[OutfitEvidence]
    OUTFIT_EVIDENCE_RULES: _ClassVar[OutfitEvidence]
    OUTFIT_EVIDENCE_NETWORK: _ClassVar[OutfitEvidence]
PICTURE_OUTCOME_UNSPECIFIED: PictureOutcome
PICTURE_OUTCOME_STORED: PictureOutcome
PICTURE_OUTCOME_DELETED: PictureOutcome
PICTURE_OUTCOME_UNCHANGED: PictureOutcome
PICTURE_OUTCOME_REFUSED: PictureOutcome
OUTFIT_EVIDENCE_UNSPECIFIED: OutfitEvidence
OUTFIT_EVIDENCE_SETS: OutfitEvidence
OUTFIT_EVIDENCE_BASKETS: OutfitEvidence
OUTFIT_EVIDENCE_RULES: OutfitEvidence
OUTFIT_EVIDENCE_NETWORK: OutfitEvidence

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

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class DetectedObject(_message.Message):
    __slots__ = ("box", "confidence")
    BOX_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    box: Box
    confidence: float
    def __init__(self, box: _Optional[_Union[Box, _Mapping]] = ..., confidence: _Optional[float] = ...) -> None: ...

class SearchByImageRequest(_message.Message):
    __slots__ = ("image", "item_id", "box", "user_id", "context", "page_size", "excluded_item_ids", "page_cursor", "with_trace", "timeout_ms", "scene", "tap", "surest_object")
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
    TAP_FIELD_NUMBER: _ClassVar[int]
    SUREST_OBJECT_FIELD_NUMBER: _ClassVar[int]
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
    tap: Point
    surest_object: bool
    def __init__(self, image: _Optional[bytes] = ..., item_id: _Optional[str] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[_recommend_pb2.Context, _Mapping]] = ..., page_size: _Optional[int] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., page_cursor: _Optional[str] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ..., scene: _Optional[str] = ..., tap: _Optional[_Union[Point, _Mapping]] = ..., surest_object: _Optional[bool] = ...) -> None: ...

class SearchByImageResponse(_message.Message):
    __slots__ = ("page", "objects", "searched", "learned")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    page: _recommend_pb2.RecommendResponse
    objects: _containers.RepeatedCompositeFieldContainer[DetectedObject]
    searched: Box
    learned: bool
    def __init__(self, page: _Optional[_Union[_recommend_pb2.RecommendResponse, _Mapping]] = ..., objects: _Optional[_Iterable[_Union[DetectedObject, _Mapping]]] = ..., searched: _Optional[_Union[Box, _Mapping]] = ..., learned: _Optional[bool] = ...) -> None: ...

class DetectObjectsRequest(_message.Message):
    __slots__ = ("image", "limit", "least_confidence")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    LEAST_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    limit: int
    least_confidence: float
    def __init__(self, image: _Optional[bytes] = ..., limit: _Optional[int] = ..., least_confidence: _Optional[float] = ...) -> None: ...

class DetectObjectsResponse(_message.Message):
    __slots__ = ("objects", "learned", "degraded", "snapshot_id", "request_id")
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[DetectedObject]
    learned: bool
    degraded: _containers.RepeatedScalarFieldContainer[str]
    snapshot_id: str
    request_id: str
    def __init__(self, objects: _Optional[_Iterable[_Union[DetectedObject, _Mapping]]] = ..., learned: _Optional[bool] = ..., degraded: _Optional[_Iterable[str]] = ..., snapshot_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("categories", "likeness", "degraded", "snapshot_id", "request_id", "unknown", "calibrated")
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedCompositeFieldContainer[PredictedCategory]
    likeness: float
    degraded: _containers.RepeatedScalarFieldContainer[str]
    snapshot_id: str
    request_id: str
    unknown: bool
    calibrated: bool
    def __init__(self, categories: _Optional[_Iterable[_Union[PredictedCategory, _Mapping]]] = ..., likeness: _Optional[float] = ..., degraded: _Optional[_Iterable[str]] = ..., snapshot_id: _Optional[str] = ..., request_id: _Optional[str] = ..., unknown: _Optional[bool] = ..., calibrated: _Optional[bool] = ...) -> None: ...

class ItemPicture(_message.Message):
    __slots__ = ("item_id", "image")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    image: bytes
    def __init__(self, item_id: _Optional[str] = ..., image: _Optional[bytes] = ...) -> None: ...

class PutPicturesRequest(_message.Message):
    __slots__ = ("pictures",)
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    pictures: _containers.RepeatedCompositeFieldContainer[ItemPicture]
    def __init__(self, pictures: _Optional[_Iterable[_Union[ItemPicture, _Mapping]]] = ...) -> None: ...

class PictureResult(_message.Message):
    __slots__ = ("item_id", "picture_id", "outcome", "reason", "item_known")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PICTURE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ITEM_KNOWN_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    picture_id: str
    outcome: PictureOutcome
    reason: str
    item_known: bool
    def __init__(self, item_id: _Optional[str] = ..., picture_id: _Optional[str] = ..., outcome: _Optional[_Union[PictureOutcome, str]] = ..., reason: _Optional[str] = ..., item_known: _Optional[bool] = ...) -> None: ...

class PutPicturesResponse(_message.Message):
    __slots__ = ("results", "degraded", "request_id")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[PictureResult]
    degraded: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    def __init__(self, results: _Optional[_Iterable[_Union[PictureResult, _Mapping]]] = ..., degraded: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class PictureName(_message.Message):
    __slots__ = ("item_id", "picture_id")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PICTURE_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    picture_id: str
    def __init__(self, item_id: _Optional[str] = ..., picture_id: _Optional[str] = ...) -> None: ...

class DeletePicturesRequest(_message.Message):
    __slots__ = ("pictures",)
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    pictures: _containers.RepeatedCompositeFieldContainer[PictureName]
    def __init__(self, pictures: _Optional[_Iterable[_Union[PictureName, _Mapping]]] = ...) -> None: ...

class DeletePicturesResponse(_message.Message):
    __slots__ = ("results", "request_id")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[PictureResult]
    request_id: str
    def __init__(self, results: _Optional[_Iterable[_Union[PictureResult, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class MatchOutfitRequest(_message.Message):
    __slots__ = ("item_id", "user_id", "context", "slots", "excluded_item_ids", "with_trace", "timeout_ms")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_TRACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    user_id: str
    context: _recommend_pb2.Context
    slots: int
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    with_trace: bool
    timeout_ms: int
    def __init__(self, item_id: _Optional[str] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[_recommend_pb2.Context, _Mapping]] = ..., slots: _Optional[int] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class OutfitSlot(_message.Message):
    __slots__ = ("category", "item_id", "evidence")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    category: str
    item_id: str
    evidence: OutfitEvidence
    def __init__(self, category: _Optional[str] = ..., item_id: _Optional[str] = ..., evidence: _Optional[_Union[OutfitEvidence, str]] = ...) -> None: ...

class MatchOutfitResponse(_message.Message):
    __slots__ = ("slots", "page")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[OutfitSlot]
    page: _recommend_pb2.RecommendResponse
    def __init__(self, slots: _Optional[_Iterable[_Union[OutfitSlot, _Mapping]]] = ..., page: _Optional[_Union[_recommend_pb2.RecommendResponse, _Mapping]] = ...) -> None: ...
