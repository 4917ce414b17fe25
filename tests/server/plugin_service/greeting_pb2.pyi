from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Place(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GreetRequest(_message.Message):
    __slots__ = ("name", "user_id", "scene", "events")
    NAME_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    user_id: _containers.RepeatedScalarFieldContainer[int]
    scene: Place
    events: Place
    def __init__(self, name: _Optional[str] = ..., user_id: _Optional[_Iterable[int]] = ..., scene: _Optional[_Union[Place, _Mapping]] = ..., events: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class Greeting(_message.Message):
    __slots__ = ("text", "known_scenes")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SCENES_FIELD_NUMBER: _ClassVar[int]
    text: str
    known_scenes: int
    def __init__(self, text: _Optional[str] = ..., known_scenes: _Optional[int] = ...) -> None: ...

class Picture(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class PictureSize(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    def __init__(self, bytes: _Optional[int] = ...) -> None: ...
