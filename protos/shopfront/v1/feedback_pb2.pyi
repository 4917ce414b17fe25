from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RatingDimension(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATING_DIMENSION_UNSPECIFIED: _ClassVar[RatingDimension]
    RATING_DIMENSION_RELEVANCE: _ClassVar[RatingDimension]
    RATING_DIMENSION_VARIETY: _ClassVar[RatingDimension]
    RATING_DIMENSION_PRICE: _ClassVar[RatingDimension]
    RATING_DIMENSION_DELIVERY: _ClassVar[RatingDimension]
    RATING_DIMENSION_SERVICE: _ClassVar[RatingDimension]

class ItemFeedbackType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_FEEDBACK_TYPE_UNSPECIFIED: _ClassVar[ItemFeedbackType]
    ITEM_FEEDBACK_TYPE_NOT_INTERESTED: _ClassVar[ItemFeedbackType]
    ITEM_FEEDBACK_TYPE_SEEN_TOO_OFTEN: _ClassVar[ItemFeedbackType]
    ITEM_FEEDBACK_TYPE_OWN_IT: _ClassVar[ItemFeedbackType]
    ITEM_FEEDBACK_TYPE_UNDO: _ClassVar[ItemFeedbackType]
RATING_DIMENSION_UNSPECIFIED: RatingDimension
RATING_DIMENSION_RELEVANCE: RatingDimension
RATING_DIMENSION_VARIETY: RatingDimension
RATING_DIMENSION_PRICE: RatingDimension
RATING_DIMENSION_DELIVERY: RatingDimension
RATING_DIMENSION_SERVICE: RatingDimension
ITEM_FEEDBACK_TYPE_UNSPECIFIED: ItemFeedbackType
ITEM_FEEDBACK_TYPE_NOT_INTERESTED: ItemFeedbackType
ITEM_FEEDBACK_TYPE_SEEN_TOO_OFTEN: ItemFeedbackType
ITEM_FEEDBACK_TYPE_OWN_IT: ItemFeedbackType
ITEM_FEEDBACK_TYPE_UNDO: ItemFeedbackType

class Rating(_message.Message):
    __slots__ = ("dimension", "value")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    dimension: RatingDimension
    value: int
    def __init__(self, dimension: _Optional[_Union[RatingDimension, str]] = ..., value: _Optional[int] = ...) -> None: ...

class ItemFeedback(_message.Message):
    __slots__ = ("item_id", "type", "brand", "category")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    type: ItemFeedbackType
    brand: bool
    category: bool
    def __init__(self, item_id: _Optional[str] = ..., type: _Optional[_Union[ItemFeedbackType, str]] = ..., brand: _Optional[bool] = ..., category: _Optional[bool] = ...) -> None: ...

class SendFeedbackRequest(_message.Message):
    __slots__ = ("user_id", "feedback_id", "ratings", "reasons", "comment", "item_id", "items", "scene", "attribution_token", "timestamp_ms")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_ID_FIELD_NUMBER: _ClassVar[int]
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    feedback_id: str
    ratings: _containers.RepeatedCompositeFieldContainer[Rating]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    comment: str
    item_id: str
    items: _containers.RepeatedCompositeFieldContainer[ItemFeedback]
    scene: str
    attribution_token: str
    timestamp_ms: int
    def __init__(self, user_id: _Optional[str] = ..., feedback_id: _Optional[str] = ..., ratings: _Optional[_Iterable[_Union[Rating, _Mapping]]] = ..., reasons: _Optional[_Iterable[str]] = ..., comment: _Optional[str] = ..., item_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ItemFeedback, _Mapping]]] = ..., scene: _Optional[str] = ..., attribution_token: _Optional[str] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class SendFeedbackResponse(_message.Message):
    __slots__ = ("already_stored", "credited")
    ALREADY_STORED_FIELD_NUMBER: _ClassVar[int]
    CREDITED_FIELD_NUMBER: _ClassVar[int]
    already_stored: bool
    credited: bool
    def __init__(self, already_stored: _Optional[bool] = ..., credited: _Optional[bool] = ...) -> None: ...

class ShouldAskRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ShouldAskResponse(_message.Message):
    __slots__ = ("ask", "reason", "dimensions")
    ASK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ask: bool
    reason: str
    dimensions: _containers.RepeatedScalarFieldContainer[RatingDimension]
    def __init__(self, ask: _Optional[bool] = ..., reason: _Optional[str] = ..., dimensions: _Optional[_Iterable[_Union[RatingDimension, str]]] = ...) -> None: ...
