from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RolloutStage(_message.Message):
    __slots__ = ("weight_bp", "min_duration_s", "min_samples")
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    MIN_DURATION_S_FIELD_NUMBER: _ClassVar[int]
    MIN_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    weight_bp: int
    min_duration_s: float
    min_samples: int
    def __init__(self, weight_bp: _Optional[int] = ..., min_duration_s: _Optional[float] = ..., min_samples: _Optional[int] = ...) -> None: ...

class StartRolloutRequest(_message.Message):
    __slots__ = ("model", "candidate", "stages", "deadline_s", "settle_s", "operator")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    SETTLE_S_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    model: str
    candidate: int
    stages: _containers.RepeatedCompositeFieldContainer[RolloutStage]
    deadline_s: float
    settle_s: float
    operator: str
    def __init__(self, model: _Optional[str] = ..., candidate: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[RolloutStage, _Mapping]]] = ..., deadline_s: _Optional[float] = ..., settle_s: _Optional[float] = ..., operator: _Optional[str] = ...) -> None: ...

class GetRolloutRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class ChangeRolloutRequest(_message.Message):
    __slots__ = ("model", "rollout_id", "operator", "reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    rollout_id: str
    operator: str
    reason: str
    def __init__(self, model: _Optional[str] = ..., rollout_id: _Optional[str] = ..., operator: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class GetRolloutHistoryRequest(_message.Message):
    __slots__ = ("model", "after", "limit")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    model: str
    after: int
    limit: int
    def __init__(self, model: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class RolloutStatus(_message.Message):
    __slots__ = ("model", "rollout_id", "phase", "paused", "reason", "next_step", "stable_version", "candidate_version", "stages", "stage", "in_stage_s", "weight_bp", "samples", "shoppers", "checks", "leader", "generation", "started_by", "started_at_ms", "deadline_at_ms", "ended_at_ms", "dataset")
    class SamplesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ShoppersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    STABLE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    IN_STAGE_S_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SHOPPERS_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    model: str
    rollout_id: str
    phase: str
    paused: bool
    reason: str
    next_step: str
    stable_version: int
    candidate_version: int
    stages: _containers.RepeatedCompositeFieldContainer[RolloutStage]
    stage: int
    in_stage_s: float
    weight_bp: int
    samples: _containers.ScalarMap[str, int]
    shoppers: _containers.ScalarMap[str, int]
    checks: _containers.RepeatedCompositeFieldContainer[RolloutCheck]
    leader: str
    generation: int
    started_by: str
    started_at_ms: int
    deadline_at_ms: int
    ended_at_ms: int
    dataset: str
    def __init__(self, model: _Optional[str] = ..., rollout_id: _Optional[str] = ..., phase: _Optional[str] = ..., paused: _Optional[bool] = ..., reason: _Optional[str] = ..., next_step: _Optional[str] = ..., stable_version: _Optional[int] = ..., candidate_version: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[RolloutStage, _Mapping]]] = ..., stage: _Optional[int] = ..., in_stage_s: _Optional[float] = ..., weight_bp: _Optional[int] = ..., samples: _Optional[_Mapping[str, int]] = ..., shoppers: _Optional[_Mapping[str, int]] = ..., checks: _Optional[_Iterable[_Union[RolloutCheck, _Mapping]]] = ..., leader: _Optional[str] = ..., generation: _Optional[int] = ..., started_by: _Optional[str] = ..., started_at_ms: _Optional[int] = ..., deadline_at_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., dataset: _Optional[str] = ...) -> None: ...

class RolloutCheck(_message.Message):
    __slots__ = ("name", "verdict", "reason", "figures", "required")
    class FiguresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    verdict: str
    reason: str
    figures: _containers.ScalarMap[str, float]
    required: bool
    def __init__(self, name: _Optional[str] = ..., verdict: _Optional[str] = ..., reason: _Optional[str] = ..., figures: _Optional[_Mapping[str, float]] = ..., required: _Optional[bool] = ...) -> None: ...

class RolloutHistory(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[RolloutEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[RolloutEvent, _Mapping]]] = ...) -> None: ...

class RolloutEvent(_message.Message):
    __slots__ = ("number", "at_ms", "rollout_id", "event", "actor", "phase", "stage", "weight_bp", "reason", "generation")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BP_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    number: int
    at_ms: int
    rollout_id: str
    event: str
    actor: str
    phase: str
    stage: int
    weight_bp: int
    reason: str
    generation: int
    def __init__(self, number: _Optional[int] = ..., at_ms: _Optional[int] = ..., rollout_id: _Optional[str] = ..., event: _Optional[str] = ..., actor: _Optional[str] = ..., phase: _Optional[str] = ..., stage: _Optional[int] = ..., weight_bp: _Optional[int] = ..., reason: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...
