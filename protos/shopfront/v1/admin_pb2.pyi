from protos.shopfront.v1 import recommend_pb2 as _recommend_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ItemSummary(_message.Message):
    __slots__ = ("item_id", "title", "category", "brand", "price", "in_stock", "has_picture")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    IN_STOCK_FIELD_NUMBER: _ClassVar[int]
    HAS_PICTURE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    category: str
    brand: str
    price: float
    in_stock: bool
    has_picture: bool
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., brand: _Optional[str] = ..., price: _Optional[float] = ..., in_stock: _Optional[bool] = ..., has_picture: _Optional[bool] = ...) -> None: ...

class ExplainPageRequest(_message.Message):
    __slots__ = ("scene", "user_id", "context", "page_size", "cart_item_ids", "anchor_item_id", "item_ids", "profile")
    class ProfileEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SCENE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    scene: str
    user_id: str
    context: _recommend_pb2.Context
    page_size: int
    cart_item_ids: _containers.RepeatedScalarFieldContainer[str]
    anchor_item_id: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    profile: _containers.ScalarMap[str, str]
    def __init__(self, scene: _Optional[str] = ..., user_id: _Optional[str] = ..., context: _Optional[_Union[_recommend_pb2.Context, _Mapping]] = ..., page_size: _Optional[int] = ..., cart_item_ids: _Optional[_Iterable[str]] = ..., anchor_item_id: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., profile: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ExplainPageResponse(_message.Message):
    __slots__ = ("page", "items", "stages")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    page: _recommend_pb2.RecommendResponse
    items: _containers.RepeatedCompositeFieldContainer[ItemExplanation]
    stages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, page: _Optional[_Union[_recommend_pb2.RecommendResponse, _Mapping]] = ..., items: _Optional[_Iterable[_Union[ItemExplanation, _Mapping]]] = ..., stages: _Optional[_Iterable[str]] = ...) -> None: ...

class ItemExplanation(_message.Message):
    __slots__ = ("item", "position", "channels", "ranks", "scores", "lost_at", "lost_because", "lost_to")
    class ScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ITEM_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    LOST_AT_FIELD_NUMBER: _ClassVar[int]
    LOST_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    LOST_TO_FIELD_NUMBER: _ClassVar[int]
    item: ItemSummary
    position: int
    channels: _containers.RepeatedCompositeFieldContainer[ChannelRank]
    ranks: _containers.RepeatedCompositeFieldContainer[StageRank]
    scores: _containers.ScalarMap[str, float]
    lost_at: str
    lost_because: str
    lost_to: ItemSummary
    def __init__(self, item: _Optional[_Union[ItemSummary, _Mapping]] = ..., position: _Optional[int] = ..., channels: _Optional[_Iterable[_Union[ChannelRank, _Mapping]]] = ..., ranks: _Optional[_Iterable[_Union[StageRank, _Mapping]]] = ..., scores: _Optional[_Mapping[str, float]] = ..., lost_at: _Optional[str] = ..., lost_because: _Optional[str] = ..., lost_to: _Optional[_Union[ItemSummary, _Mapping]] = ...) -> None: ...

class ChannelRank(_message.Message):
    __slots__ = ("channel", "rank", "of", "score", "trigger")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    channel: str
    rank: int
    of: int
    score: float
    trigger: ItemSummary
    def __init__(self, channel: _Optional[str] = ..., rank: _Optional[int] = ..., of: _Optional[int] = ..., score: _Optional[float] = ..., trigger: _Optional[_Union[ItemSummary, _Mapping]] = ...) -> None: ...

class StageRank(_message.Message):
    __slots__ = ("stage", "rank", "of")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    stage: str
    rank: int
    of: int
    def __init__(self, stage: _Optional[str] = ..., rank: _Optional[int] = ..., of: _Optional[int] = ...) -> None: ...

class SearchItemsRequest(_message.Message):
    __slots__ = ("query", "limit")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    query: str
    limit: int
    def __init__(self, query: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class SearchItemsResponse(_message.Message):
    __slots__ = ("items", "searched", "truncated")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ItemSummary]
    searched: int
    truncated: bool
    def __init__(self, items: _Optional[_Iterable[_Union[ItemSummary, _Mapping]]] = ..., searched: _Optional[int] = ..., truncated: _Optional[bool] = ...) -> None: ...

class DescribeItemsRequest(_message.Message):
    __slots__ = ("item_ids",)
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeItemsResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ItemSummary]
    def __init__(self, items: _Optional[_Iterable[_Union[ItemSummary, _Mapping]]] = ...) -> None: ...

class InspectItemRequest(_message.Message):
    __slots__ = ("item_id", "neighbours")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    neighbours: int
    def __init__(self, item_id: _Optional[str] = ..., neighbours: _Optional[int] = ...) -> None: ...

class InspectItemResponse(_message.Message):
    __slots__ = ("item", "facts", "channels")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    item: ItemSummary
    facts: _containers.RepeatedCompositeFieldContainer[ItemFact]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelNeighbours]
    def __init__(self, item: _Optional[_Union[ItemSummary, _Mapping]] = ..., facts: _Optional[_Iterable[_Union[ItemFact, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[ChannelNeighbours, _Mapping]]] = ...) -> None: ...

class ItemFact(_message.Message):
    __slots__ = ("name", "value", "unit", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    unit: str
    description: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., unit: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class ChannelNeighbours(_message.Message):
    __slots__ = ("channel", "neighbours", "failure")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    channel: str
    neighbours: _containers.RepeatedCompositeFieldContainer[Neighbour]
    failure: str
    def __init__(self, channel: _Optional[str] = ..., neighbours: _Optional[_Iterable[_Union[Neighbour, _Mapping]]] = ..., failure: _Optional[str] = ...) -> None: ...

class Neighbour(_message.Message):
    __slots__ = ("item", "score")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    item: ItemSummary
    score: float
    def __init__(self, item: _Optional[_Union[ItemSummary, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...

class InspectShopperRequest(_message.Message):
    __slots__ = ("user_id", "limit")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    limit: int
    def __init__(self, user_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class InspectShopperResponse(_message.Message):
    __slots__ = ("events", "profile", "known_events", "known_purchases", "said")
    class ProfileEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_EVENTS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_PURCHASES_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[ShopperEvent]
    profile: _containers.ScalarMap[str, str]
    known_events: int
    known_purchases: int
    said: _containers.RepeatedCompositeFieldContainer[ShopperEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[ShopperEvent, _Mapping]]] = ..., profile: _Optional[_Mapping[str, str]] = ..., known_events: _Optional[int] = ..., known_purchases: _Optional[int] = ..., said: _Optional[_Iterable[_Union[ShopperEvent, _Mapping]]] = ...) -> None: ...

class ShopperEvent(_message.Message):
    __slots__ = ("item", "type", "at")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    item: ItemSummary
    type: str
    at: int
    def __init__(self, item: _Optional[_Union[ItemSummary, _Mapping]] = ..., type: _Optional[str] = ..., at: _Optional[int] = ...) -> None: ...

class ListRecentPagesRequest(_message.Message):
    __slots__ = ("limit", "user_id", "slowest_first")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SLOWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    limit: int
    user_id: str
    slowest_first: bool
    def __init__(self, limit: _Optional[int] = ..., user_id: _Optional[str] = ..., slowest_first: _Optional[bool] = ...) -> None: ...

class ListRecentPagesResponse(_message.Message):
    __slots__ = ("pages",)
    PAGES_FIELD_NUMBER: _ClassVar[int]
    pages: _containers.RepeatedCompositeFieldContainer[RecentPage]
    def __init__(self, pages: _Optional[_Iterable[_Union[RecentPage, _Mapping]]] = ...) -> None: ...

class RecentPage(_message.Message):
    __slots__ = ("at", "scene", "user_id", "request_id", "items", "model_name", "model_version", "arms", "took_ms", "degraded")
    class ArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    TOOK_MS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    at: int
    scene: str
    user_id: str
    request_id: str
    items: _containers.RepeatedCompositeFieldContainer[ItemSummary]
    model_name: str
    model_version: str
    arms: _containers.ScalarMap[str, str]
    took_ms: float
    degraded: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, at: _Optional[int] = ..., scene: _Optional[str] = ..., user_id: _Optional[str] = ..., request_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ItemSummary, _Mapping]]] = ..., model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., arms: _Optional[_Mapping[str, str]] = ..., took_ms: _Optional[float] = ..., degraded: _Optional[_Iterable[str]] = ...) -> None: ...

class InspectScenesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InspectScenesResponse(_message.Message):
    __slots__ = ("scenes", "arms")
    SCENES_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    scenes: _containers.RepeatedCompositeFieldContainer[SceneDetails]
    arms: _containers.RepeatedCompositeFieldContainer[ExperimentArm]
    def __init__(self, scenes: _Optional[_Iterable[_Union[SceneDetails, _Mapping]]] = ..., arms: _Optional[_Iterable[_Union[ExperimentArm, _Mapping]]] = ...) -> None: ...

class SceneDetails(_message.Message):
    __slots__ = ("name", "settings", "channel_shares", "rates_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_SHARES_FIELD_NUMBER: _ClassVar[int]
    RATES_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    settings: _containers.RepeatedCompositeFieldContainer[SettingRow]
    channel_shares: _containers.RepeatedCompositeFieldContainer[ChannelShare]
    rates_version: int
    def __init__(self, name: _Optional[str] = ..., settings: _Optional[_Iterable[_Union[SettingRow, _Mapping]]] = ..., channel_shares: _Optional[_Iterable[_Union[ChannelShare, _Mapping]]] = ..., rates_version: _Optional[int] = ...) -> None: ...

class ChannelShare(_message.Message):
    __slots__ = ("channel", "segment", "share", "moved_share", "least_share", "most_share", "shown", "clicks", "expected_clicks", "purchases", "expected_purchases", "shoppers")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MOVED_SHARE_FIELD_NUMBER: _ClassVar[int]
    LEAST_SHARE_FIELD_NUMBER: _ClassVar[int]
    MOST_SHARE_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    CLICKS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CLICKS_FIELD_NUMBER: _ClassVar[int]
    PURCHASES_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_PURCHASES_FIELD_NUMBER: _ClassVar[int]
    SHOPPERS_FIELD_NUMBER: _ClassVar[int]
    channel: str
    segment: str
    share: float
    moved_share: float
    least_share: float
    most_share: float
    shown: float
    clicks: float
    expected_clicks: float
    purchases: float
    expected_purchases: float
    shoppers: float
    def __init__(self, channel: _Optional[str] = ..., segment: _Optional[str] = ..., share: _Optional[float] = ..., moved_share: _Optional[float] = ..., least_share: _Optional[float] = ..., most_share: _Optional[float] = ..., shown: _Optional[float] = ..., clicks: _Optional[float] = ..., expected_clicks: _Optional[float] = ..., purchases: _Optional[float] = ..., expected_purchases: _Optional[float] = ..., shoppers: _Optional[float] = ...) -> None: ...

class SettingRow(_message.Message):
    __slots__ = ("key", "value", "default_value", "description", "bounds", "path", "configured_value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    default_value: str
    description: str
    bounds: str
    path: _containers.RepeatedScalarFieldContainer[str]
    configured_value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., default_value: _Optional[str] = ..., description: _Optional[str] = ..., bounds: _Optional[str] = ..., path: _Optional[_Iterable[str]] = ..., configured_value: _Optional[str] = ...) -> None: ...

class ExperimentArm(_message.Message):
    __slots__ = ("experiment", "scene", "arm", "share", "patch")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    experiment: str
    scene: str
    arm: str
    share: float
    patch: str
    def __init__(self, experiment: _Optional[str] = ..., scene: _Optional[str] = ..., arm: _Optional[str] = ..., share: _Optional[float] = ..., patch: _Optional[str] = ...) -> None: ...

class ReadMetricsRequest(_message.Message):
    __slots__ = ("prefixes",)
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    prefixes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, prefixes: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadMetricsResponse(_message.Message):
    __slots__ = ("samples", "at_ms")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[MetricSample]
    at_ms: int
    def __init__(self, samples: _Optional[_Iterable[_Union[MetricSample, _Mapping]]] = ..., at_ms: _Optional[int] = ...) -> None: ...

class MetricSample(_message.Message):
    __slots__ = ("name", "labels", "value")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.ScalarMap[str, str]
    value: float
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., value: _Optional[float] = ...) -> None: ...

class ReadStageTimesRequest(_message.Message):
    __slots__ = ("scene",)
    SCENE_FIELD_NUMBER: _ClassVar[int]
    scene: str
    def __init__(self, scene: _Optional[str] = ...) -> None: ...

class ReadStageTimesResponse(_message.Message):
    __slots__ = ("window_s", "stages")
    WINDOW_S_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    window_s: float
    stages: _containers.RepeatedCompositeFieldContainer[StageTimes]
    def __init__(self, window_s: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[StageTimes, _Mapping]]] = ...) -> None: ...

class StageTimes(_message.Message):
    __slots__ = ("stage", "count", "p50_ms", "p90_ms", "p99_ms", "bounds_s", "counts")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    P90_MS_FIELD_NUMBER: _ClassVar[int]
    P99_MS_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_S_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    count: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    bounds_s: _containers.RepeatedScalarFieldContainer[float]
    counts: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, stage: _Optional[str] = ..., count: _Optional[float] = ..., p50_ms: _Optional[float] = ..., p90_ms: _Optional[float] = ..., p99_ms: _Optional[float] = ..., bounds_s: _Optional[_Iterable[float]] = ..., counts: _Optional[_Iterable[float]] = ...) -> None: ...

class ListLoggedPagesRequest(_message.Message):
    __slots__ = ("limit", "scene", "user_id", "request_id", "before")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    limit: int
    scene: str
    user_id: str
    request_id: str
    before: int
    def __init__(self, limit: _Optional[int] = ..., scene: _Optional[str] = ..., user_id: _Optional[str] = ..., request_id: _Optional[str] = ..., before: _Optional[int] = ...) -> None: ...

class ListLoggedPagesResponse(_message.Message):
    __slots__ = ("pages", "truncated", "logged_scenes")
    PAGES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    LOGGED_SCENES_FIELD_NUMBER: _ClassVar[int]
    pages: _containers.RepeatedCompositeFieldContainer[LoggedPage]
    truncated: bool
    logged_scenes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, pages: _Optional[_Iterable[_Union[LoggedPage, _Mapping]]] = ..., truncated: _Optional[bool] = ..., logged_scenes: _Optional[_Iterable[str]] = ...) -> None: ...

class LoggedPage(_message.Message):
    __slots__ = ("at", "scene", "request_id", "user", "snapshot_id", "model_name", "model_version", "arms", "history_length", "profile", "items")
    class ArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ProfileEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    at: int
    scene: str
    request_id: str
    user: str
    snapshot_id: str
    model_name: str
    model_version: str
    arms: _containers.ScalarMap[str, str]
    history_length: int
    profile: _containers.ScalarMap[str, str]
    items: _containers.RepeatedCompositeFieldContainer[LoggedItem]
    def __init__(self, at: _Optional[int] = ..., scene: _Optional[str] = ..., request_id: _Optional[str] = ..., user: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., arms: _Optional[_Mapping[str, str]] = ..., history_length: _Optional[int] = ..., profile: _Optional[_Mapping[str, str]] = ..., items: _Optional[_Iterable[_Union[LoggedItem, _Mapping]]] = ...) -> None: ...

class LoggedItem(_message.Message):
    __slots__ = ("item", "score", "channels", "recall_score", "scores", "propensity")
    class ScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ITEM_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    RECALL_SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    item: ItemSummary
    score: float
    channels: _containers.RepeatedScalarFieldContainer[str]
    recall_score: float
    scores: _containers.ScalarMap[str, float]
    propensity: float
    def __init__(self, item: _Optional[_Union[ItemSummary, _Mapping]] = ..., score: _Optional[float] = ..., channels: _Optional[_Iterable[str]] = ..., recall_score: _Optional[float] = ..., scores: _Optional[_Mapping[str, float]] = ..., propensity: _Optional[float] = ...) -> None: ...

class InspectProfilesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InspectProfilesResponse(_message.Message):
    __slots__ = ("fields",)
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[ProfileField]
    def __init__(self, fields: _Optional[_Iterable[_Union[ProfileField, _Mapping]]] = ...) -> None: ...

class ProfileField(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadItemPictureRequest(_message.Message):
    __slots__ = ("item_id",)
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    def __init__(self, item_id: _Optional[str] = ...) -> None: ...

class ReadItemPictureResponse(_message.Message):
    __slots__ = ("content", "content_type")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ...) -> None: ...

class InspectVersionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InspectVersionsResponse(_message.Message):
    __slots__ = ("snapshot_id", "snapshot_created_ms", "dataset", "source", "items", "models", "replica", "replica_started_ms", "contract")
    class ModelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    REPLICA_STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    snapshot_id: str
    snapshot_created_ms: int
    dataset: str
    source: str
    items: int
    models: _containers.ScalarMap[str, str]
    replica: str
    replica_started_ms: int
    contract: int
    def __init__(self, snapshot_id: _Optional[str] = ..., snapshot_created_ms: _Optional[int] = ..., dataset: _Optional[str] = ..., source: _Optional[str] = ..., items: _Optional[int] = ..., models: _Optional[_Mapping[str, str]] = ..., replica: _Optional[str] = ..., replica_started_ms: _Optional[int] = ..., contract: _Optional[int] = ...) -> None: ...

class ReadReportsRequest(_message.Message):
    __slots__ = ("kind",)
    KIND_FIELD_NUMBER: _ClassVar[int]
    kind: str
    def __init__(self, kind: _Optional[str] = ...) -> None: ...

class ReadReportsResponse(_message.Message):
    __slots__ = ("reports",)
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    def __init__(self, reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("name", "at_ms", "json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    at_ms: int
    json: str
    def __init__(self, name: _Optional[str] = ..., at_ms: _Optional[int] = ..., json: _Optional[str] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("id", "action", "by", "value", "scene", "position", "reason", "operator", "created_at", "expires_at", "known", "item", "plan", "progress", "alert", "alert_known")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    ALERT_KNOWN_FIELD_NUMBER: _ClassVar[int]
    id: str
    action: str
    by: str
    value: str
    scene: str
    position: int
    reason: str
    operator: str
    created_at: int
    expires_at: int
    known: bool
    item: ItemSummary
    plan: ExposurePlan
    progress: ExposureProgress
    alert: str
    alert_known: bool
    def __init__(self, id: _Optional[str] = ..., action: _Optional[str] = ..., by: _Optional[str] = ..., value: _Optional[str] = ..., scene: _Optional[str] = ..., position: _Optional[int] = ..., reason: _Optional[str] = ..., operator: _Optional[str] = ..., created_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., known: _Optional[bool] = ..., item: _Optional[_Union[ItemSummary, _Mapping]] = ..., plan: _Optional[_Union[ExposurePlan, _Mapping]] = ..., progress: _Optional[_Union[ExposureProgress, _Mapping]] = ..., alert: _Optional[str] = ..., alert_known: _Optional[bool] = ...) -> None: ...

class ExposurePlan(_message.Message):
    __slots__ = ("starts_at", "guarantee", "cap", "slack", "at_once")
    STARTS_AT_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    SLACK_FIELD_NUMBER: _ClassVar[int]
    AT_ONCE_FIELD_NUMBER: _ClassVar[int]
    starts_at: int
    guarantee: int
    cap: int
    slack: int
    at_once: bool
    def __init__(self, starts_at: _Optional[int] = ..., guarantee: _Optional[int] = ..., cap: _Optional[int] = ..., slack: _Optional[int] = ..., at_once: _Optional[bool] = ...) -> None: ...

class ExposureProgress(_message.Message):
    __slots__ = ("shown", "lifted", "lost", "due")
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    shown: int
    lifted: int
    lost: float
    due: int
    def __init__(self, shown: _Optional[int] = ..., lifted: _Optional[int] = ..., lost: _Optional[float] = ..., due: _Optional[int] = ...) -> None: ...

class ListRulesRequest(_message.Message):
    __slots__ = ("scene", "item_id", "expired", "limit")
    SCENE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    scene: str
    item_id: str
    expired: bool
    limit: int
    def __init__(self, scene: _Optional[str] = ..., item_id: _Optional[str] = ..., expired: _Optional[bool] = ..., limit: _Optional[int] = ...) -> None: ...

class ListRulesResponse(_message.Message):
    __slots__ = ("rules", "total", "refused", "groups", "alerts")
    RULES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    total: int
    refused: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    alerts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., total: _Optional[int] = ..., refused: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., alerts: _Optional[_Iterable[str]] = ...) -> None: ...

class AddRuleRequest(_message.Message):
    __slots__ = ("action", "by", "value", "scene", "position", "reason", "operator", "expires_at", "plan", "alert")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    action: str
    by: str
    value: str
    scene: str
    position: int
    reason: str
    operator: str
    expires_at: int
    plan: ExposurePlan
    alert: str
    def __init__(self, action: _Optional[str] = ..., by: _Optional[str] = ..., value: _Optional[str] = ..., scene: _Optional[str] = ..., position: _Optional[int] = ..., reason: _Optional[str] = ..., operator: _Optional[str] = ..., expires_at: _Optional[int] = ..., plan: _Optional[_Union[ExposurePlan, _Mapping]] = ..., alert: _Optional[str] = ...) -> None: ...

class RemoveRuleRequest(_message.Message):
    __slots__ = ("id", "reason", "operator")
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    reason: str
    operator: str
    def __init__(self, id: _Optional[str] = ..., reason: _Optional[str] = ..., operator: _Optional[str] = ...) -> None: ...

class ReadSceneFileRequest(_message.Message):
    __slots__ = ("change_id",)
    CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    change_id: str
    def __init__(self, change_id: _Optional[str] = ...) -> None: ...

class ReadSceneFileResponse(_message.Message):
    __slots__ = ("path", "content", "digest", "pending", "refused", "fixed", "changes", "earlier_content")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    FIXED_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_CONTENT_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: str
    digest: str
    pending: bool
    refused: str
    fixed: str
    changes: _containers.RepeatedCompositeFieldContainer[SceneChange]
    earlier_content: str
    def __init__(self, path: _Optional[str] = ..., content: _Optional[str] = ..., digest: _Optional[str] = ..., pending: _Optional[bool] = ..., refused: _Optional[str] = ..., fixed: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[SceneChange, _Mapping]]] = ..., earlier_content: _Optional[str] = ...) -> None: ...

class SceneChange(_message.Message):
    __slots__ = ("id", "at_ms", "operator", "reason", "lines_removed", "lines_added")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LINES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    LINES_ADDED_FIELD_NUMBER: _ClassVar[int]
    id: str
    at_ms: int
    operator: str
    reason: str
    lines_removed: int
    lines_added: int
    def __init__(self, id: _Optional[str] = ..., at_ms: _Optional[int] = ..., operator: _Optional[str] = ..., reason: _Optional[str] = ..., lines_removed: _Optional[int] = ..., lines_added: _Optional[int] = ...) -> None: ...

class SceneEdit(_message.Message):
    __slots__ = ("path", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedScalarFieldContainer[str]
    value: str
    def __init__(self, path: _Optional[_Iterable[str]] = ..., value: _Optional[str] = ...) -> None: ...

class PreviewScenesRequest(_message.Message):
    __slots__ = ("content", "scene", "edits", "user_ids", "page_size", "anchor_item_id")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    content: str
    scene: str
    edits: _containers.RepeatedCompositeFieldContainer[SceneEdit]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    anchor_item_id: str
    def __init__(self, content: _Optional[str] = ..., scene: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[SceneEdit, _Mapping]]] = ..., user_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., anchor_item_id: _Optional[str] = ...) -> None: ...

class PreviewScenesResponse(_message.Message):
    __slots__ = ("content_before", "base_digest", "content", "problems", "pages")
    CONTENT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    PAGES_FIELD_NUMBER: _ClassVar[int]
    content_before: str
    base_digest: str
    content: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    pages: _containers.RepeatedCompositeFieldContainer[PagePreview]
    def __init__(self, content_before: _Optional[str] = ..., base_digest: _Optional[str] = ..., content: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ..., pages: _Optional[_Iterable[_Union[PagePreview, _Mapping]]] = ...) -> None: ...

class PagePreview(_message.Message):
    __slots__ = ("user_id", "before", "after", "failure")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    before: _containers.RepeatedCompositeFieldContainer[ItemSummary]
    after: _containers.RepeatedCompositeFieldContainer[ItemSummary]
    failure: str
    def __init__(self, user_id: _Optional[str] = ..., before: _Optional[_Iterable[_Union[ItemSummary, _Mapping]]] = ..., after: _Optional[_Iterable[_Union[ItemSummary, _Mapping]]] = ..., failure: _Optional[str] = ...) -> None: ...

class ApplyScenesRequest(_message.Message):
    __slots__ = ("content", "base_digest", "reason", "operator")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    content: str
    base_digest: str
    reason: str
    operator: str
    def __init__(self, content: _Optional[str] = ..., base_digest: _Optional[str] = ..., reason: _Optional[str] = ..., operator: _Optional[str] = ...) -> None: ...

class ApplyScenesResponse(_message.Message):
    __slots__ = ("change", "refused")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    change: SceneChange
    refused: str
    def __init__(self, change: _Optional[_Union[SceneChange, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...

class ReadExperimentFileRequest(_message.Message):
    __slots__ = ("change_id",)
    CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    change_id: str
    def __init__(self, change_id: _Optional[str] = ...) -> None: ...

class ReadExperimentFileResponse(_message.Message):
    __slots__ = ("path", "content", "digest", "pending", "refused", "fixed", "changes", "earlier_content", "experiments")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    FIXED_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    EARLIER_CONTENT_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: str
    digest: str
    pending: bool
    refused: str
    fixed: str
    changes: _containers.RepeatedCompositeFieldContainer[SceneChange]
    earlier_content: str
    experiments: _containers.RepeatedCompositeFieldContainer[Experiment]
    def __init__(self, path: _Optional[str] = ..., content: _Optional[str] = ..., digest: _Optional[str] = ..., pending: _Optional[bool] = ..., refused: _Optional[str] = ..., fixed: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[SceneChange, _Mapping]]] = ..., earlier_content: _Optional[str] = ..., experiments: _Optional[_Iterable[_Union[Experiment, _Mapping]]] = ...) -> None: ...

class Experiment(_message.Message):
    __slots__ = ("layer", "name", "scenes", "first", "control", "paused", "arms")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCENES_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    layer: str
    name: str
    scenes: _containers.RepeatedScalarFieldContainer[str]
    first: int
    control: str
    paused: bool
    arms: _containers.RepeatedCompositeFieldContainer[ExperimentSide]
    def __init__(self, layer: _Optional[str] = ..., name: _Optional[str] = ..., scenes: _Optional[_Iterable[str]] = ..., first: _Optional[int] = ..., control: _Optional[str] = ..., paused: _Optional[bool] = ..., arms: _Optional[_Iterable[_Union[ExperimentSide, _Mapping]]] = ...) -> None: ...

class ExperimentSide(_message.Message):
    __slots__ = ("name", "share_bp", "patch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARE_BP_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    share_bp: int
    patch: str
    def __init__(self, name: _Optional[str] = ..., share_bp: _Optional[int] = ..., patch: _Optional[str] = ...) -> None: ...

class ExperimentEdit(_message.Message):
    __slots__ = ("path", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedScalarFieldContainer[str]
    value: str
    def __init__(self, path: _Optional[_Iterable[str]] = ..., value: _Optional[str] = ...) -> None: ...

class ChangeExperimentsRequest(_message.Message):
    __slots__ = ("content", "edits", "validate_only", "base_digest", "reason", "operator")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    content: str
    edits: _containers.RepeatedCompositeFieldContainer[ExperimentEdit]
    validate_only: bool
    base_digest: str
    reason: str
    operator: str
    def __init__(self, content: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[ExperimentEdit, _Mapping]]] = ..., validate_only: _Optional[bool] = ..., base_digest: _Optional[str] = ..., reason: _Optional[str] = ..., operator: _Optional[str] = ...) -> None: ...

class ChangeExperimentsResponse(_message.Message):
    __slots__ = ("content_before", "base_digest", "content", "problems", "change", "refused")
    CONTENT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    BASE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    content_before: str
    base_digest: str
    content: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    change: SceneChange
    refused: str
    def __init__(self, content_before: _Optional[str] = ..., base_digest: _Optional[str] = ..., content: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ..., change: _Optional[_Union[SceneChange, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...
