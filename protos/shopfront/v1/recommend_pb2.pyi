from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ContextField(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTEXT_FIELD_UNSPECIFIED: _ClassVar[ContextField]
    CONTEXT_FIELD_SEARCH_QUERY: _ClassVar[ContextField]
    CONTEXT_FIELD_CATEGORY: _ClassVar[ContextField]
    CONTEXT_FIELD_BRAND: _ClassVar[ContextField]
    CONTEXT_FIELD_PRICE: _ClassVar[ContextField]

class SimilarItemsKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIMILAR_ITEMS_KIND_UNSPECIFIED: _ClassVar[SimilarItemsKind]
    SIMILAR_ITEMS_KIND_SIMILAR: _ClassVar[SimilarItemsKind]
    SIMILAR_ITEMS_KIND_COMPLEMENTARY: _ClassVar[SimilarItemsKind]

class ScoreKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCORE_KIND_UNSPECIFIED: _ClassVar[ScoreKind]
    SCORE_KIND_PROBABILITY: _ClassVar[ScoreKind]
    SCORE_KIND_ORDER: _ClassVar[ScoreKind]
    SCORE_KIND_RECALL: _ClassVar[ScoreKind]
CONTEXT_FIELD_UNSPECIFIED: ContextField
CONTEXT_FIELD_SEARCH_QUERY: ContextField
CONTEXT_FIELD_CATEGORY: ContextField
CONTEXT_FIELD_BRAND: ContextField
CONTEXT_FIELD_PRICE: ContextField
SIMILAR_ITEMS_KIND_UNSPECIFIED: SimilarItemsKind
SIMILAR_ITEMS_KIND_SIMILAR: SimilarItemsKind
SIMILAR_ITEMS_KIND_COMPLEMENTARY: SimilarItemsKind
SCORE_KIND_UNSPECIFIED: ScoreKind
SCORE_KIND_PROBABILITY: ScoreKind
SCORE_KIND_ORDER: ScoreKind
SCORE_KIND_RECALL: ScoreKind

class Context(_message.Message):
    __slots__ = ("city", "device", "search_query", "category", "brand", "price", "must")
    CITY_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_QUERY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    MUST_FIELD_NUMBER: _ClassVar[int]
    city: str
    device: str
    search_query: str
    category: str
    brand: str
    price: PriceRange
    must: _containers.RepeatedScalarFieldContainer[ContextField]
    def __init__(self, city: _Optional[str] = ..., device: _Optional[str] = ..., search_query: _Optional[str] = ..., category: _Optional[str] = ..., brand: _Optional[str] = ..., price: _Optional[_Union[PriceRange, _Mapping]] = ..., must: _Optional[_Iterable[_Union[ContextField, str]]] = ...) -> None: ...

class PriceRange(_message.Message):
    __slots__ = ("minimum", "maximum")
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    minimum: float
    maximum: float
    def __init__(self, minimum: _Optional[float] = ..., maximum: _Optional[float] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("scene", "user_id", "context", "page_size", "excluded_item_ids", "with_trace", "timeout_ms", "validate_only", "cart_item_ids", "cart_quantities", "page_cursor")
    SCENE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_TRACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CART_QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    scene: str
    user_id: str
    context: Context
    page_size: int
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    with_trace: bool
    timeout_ms: int
    validate_only: bool
    cart_item_ids: _containers.RepeatedScalarFieldContainer[str]
    cart_quantities: _containers.RepeatedScalarFieldContainer[int]
    page_cursor: str
    def __init__(self, scene: _Optional[str] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., page_size: _Optional[int] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ..., validate_only: _Optional[bool] = ..., cart_item_ids: _Optional[_Iterable[str]] = ..., cart_quantities: _Optional[_Iterable[int]] = ..., page_cursor: _Optional[str] = ...) -> None: ...

class RecommendPageRequest(_message.Message):
    __slots__ = ("scenes", "user_id", "context", "excluded_item_ids", "with_trace", "timeout_ms", "cart_item_ids", "cart_quantities")
    SCENES_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_TRACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CART_QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    scenes: _containers.RepeatedCompositeFieldContainer[SceneRequest]
    user_id: str
    context: Context
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    with_trace: bool
    timeout_ms: int
    cart_item_ids: _containers.RepeatedScalarFieldContainer[str]
    cart_quantities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, scenes: _Optional[_Iterable[_Union[SceneRequest, _Mapping]]] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ..., cart_item_ids: _Optional[_Iterable[str]] = ..., cart_quantities: _Optional[_Iterable[int]] = ...) -> None: ...

class SceneRequest(_message.Message):
    __slots__ = ("scene", "page_size", "page_cursor")
    SCENE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    scene: str
    page_size: int
    page_cursor: str
    def __init__(self, scene: _Optional[str] = ..., page_size: _Optional[int] = ..., page_cursor: _Optional[str] = ...) -> None: ...

class RecommendPageResponse(_message.Message):
    __slots__ = ("scenes",)
    SCENES_FIELD_NUMBER: _ClassVar[int]
    scenes: _containers.RepeatedCompositeFieldContainer[RecommendResponse]
    def __init__(self, scenes: _Optional[_Iterable[_Union[RecommendResponse, _Mapping]]] = ...) -> None: ...

class SimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "user_id", "context", "page_size", "excluded_item_ids", "with_trace", "timeout_ms", "scene", "kind", "page_cursor")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    WITH_TRACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAGE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    user_id: str
    context: Context
    page_size: int
    excluded_item_ids: _containers.RepeatedScalarFieldContainer[str]
    with_trace: bool
    timeout_ms: int
    scene: str
    kind: SimilarItemsKind
    page_cursor: str
    def __init__(self, item_id: _Optional[str] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., page_size: _Optional[int] = ..., excluded_item_ids: _Optional[_Iterable[str]] = ..., with_trace: _Optional[bool] = ..., timeout_ms: _Optional[int] = ..., scene: _Optional[str] = ..., kind: _Optional[_Union[SimilarItemsKind, str]] = ..., page_cursor: _Optional[str] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("items", "attribution_token", "model_name", "model_version", "arms", "degraded", "trace", "scene", "snapshot_id", "request_id", "next_page_cursor", "matching_items", "venues", "score_kind")
    class ArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    MATCHING_ITEMS_FIELD_NUMBER: _ClassVar[int]
    VENUES_FIELD_NUMBER: _ClassVar[int]
    SCORE_KIND_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[RecommendedItem]
    attribution_token: str
    model_name: str
    model_version: str
    arms: _containers.ScalarMap[str, str]
    degraded: _containers.RepeatedScalarFieldContainer[str]
    trace: Trace
    scene: str
    snapshot_id: str
    request_id: str
    next_page_cursor: str
    matching_items: int
    venues: _containers.RepeatedCompositeFieldContainer[Venue]
    score_kind: ScoreKind
    def __init__(self, items: _Optional[_Iterable[_Union[RecommendedItem, _Mapping]]] = ..., attribution_token: _Optional[str] = ..., model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., arms: _Optional[_Mapping[str, str]] = ..., degraded: _Optional[_Iterable[str]] = ..., trace: _Optional[_Union[Trace, _Mapping]] = ..., scene: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., request_id: _Optional[str] = ..., next_page_cursor: _Optional[str] = ..., matching_items: _Optional[int] = ..., venues: _Optional[_Iterable[_Union[Venue, _Mapping]]] = ..., score_kind: _Optional[_Union[ScoreKind, str]] = ...) -> None: ...

class Venue(_message.Message):
    __slots__ = ("name", "score", "item_ids")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    score: float
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., score: _Optional[float] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RecommendedItem(_message.Message):
    __slots__ = ("item_id", "score", "reasons", "title", "category", "attributes", "value")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    score: float
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    title: str
    category: str
    attributes: _containers.ScalarMap[str, str]
    value: float
    def __init__(self, item_id: _Optional[str] = ..., score: _Optional[float] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., value: _Optional[float] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("channel", "trigger_item_id")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    channel: str
    trigger_item_id: str
    def __init__(self, channel: _Optional[str] = ..., trigger_item_id: _Optional[str] = ...) -> None: ...

class Trace(_message.Message):
    __slots__ = ("stages", "total_ms")
    STAGES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.RepeatedCompositeFieldContainer[StageTrace]
    total_ms: float
    def __init__(self, stages: _Optional[_Iterable[_Union[StageTrace, _Mapping]]] = ..., total_ms: _Optional[float] = ...) -> None: ...

class StageTrace(_message.Message):
    __slots__ = ("stage", "count_in", "count_out", "removed", "start_ms", "elapsed_ms", "outcome", "detail")
    class RemovedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    STAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_IN_FIELD_NUMBER: _ClassVar[int]
    COUNT_OUT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    stage: str
    count_in: int
    count_out: int
    removed: _containers.ScalarMap[str, int]
    start_ms: float
    elapsed_ms: float
    outcome: str
    detail: str
    def __init__(self, stage: _Optional[str] = ..., count_in: _Optional[int] = ..., count_out: _Optional[int] = ..., removed: _Optional[_Mapping[str, int]] = ..., start_ms: _Optional[float] = ..., elapsed_ms: _Optional[float] = ..., outcome: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...
