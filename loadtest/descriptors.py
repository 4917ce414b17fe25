"""The method that is called: from server reflection, a .proto file or a compiled descriptor set."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from loadtest.errors import LoadTestError
from loadtest.templates import CallNames


@dataclass(frozen=True)
class Method:
    """A method with the classes of its messages."""

    path: str
    names: CallNames
    request: type[Message]
    answer: type[Message]

    @property
    def unary(self) -> bool:
        """Whether a call has one request message and one answer message."""
        return not (self.names.client_streaming or self.names.server_streaming)


def split_call(call: str) -> tuple[str, str]:
    """Service and method of `package.Service/Method` or `package.Service.Method`.

    Raises LoadTestError for any other text.
    """
    text = call.strip().strip("/")
    service, slash, name = text.partition("/")
    if not slash:
        service, _, name = text.rpartition(".")
    if not service or not name or "/" in name:
        raise LoadTestError(f"--call: {call!r} is not package.Service/Method or package.Service.Method")
    return service, name


def method_of(files: bytes, call: str) -> Method:
    """The method `call` in a serialised FileDescriptorSet. Raises LoadTestError naming what it lacks."""
    service_name, method_name = split_call(call)
    pool = _pool(descriptor_pb2.FileDescriptorSet.FromString(files).file)
    try:
        service = pool.FindServiceByName(service_name)
    except KeyError as error:
        raise LoadTestError(f"--call: there is no service {service_name!r}") from error
    method: MethodDescriptor | None = service.methods_by_name.get(method_name)
    if method is None:
        there = ", ".join(sorted(service.methods_by_name))
        raise LoadTestError(f"--call: {service_name} has no method {method_name!r}; it has {there}")
    return Method(
        path=f"/{service_name}/{method_name}",
        names=CallNames(
            full_name=method.full_name,
            method=method.name,
            service=service.name,
            input=method.input_type.name,
            output=method.output_type.name,
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
        ),
        request=message_factory.GetMessageClass(method.input_type),
        answer=message_factory.GetMessageClass(method.output_type),
    )


def _pool(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    """A pool of `files`, each added behind what it imports."""
    pool = descriptor_pool.DescriptorPool()
    by_name = {file.name: file for file in files}
    added: set[str] = set()

    def add(name: str, asked_by: str) -> None:
        if name in added:
            return
        added.add(name)
        file = by_name.get(name) or _well_known(name)
        if file is None:
            raise LoadTestError(
                f"{asked_by} imports {name}, which is missing; compile descriptor sets with --include_imports"
            )
        for dependency in file.dependency:
            add(dependency, name)
        try:
            pool.Add(file)
        except TypeError as error:
            raise LoadTestError(f"the description of {name} is not valid: {error}") from error

    for name in by_name:
        add(name, name)
    return pool


def _well_known(name: str) -> descriptor_pb2.FileDescriptorProto | None:
    """Google's own files, which descriptor sets often leave out."""
    if not name.startswith("google/"):
        return None
    try:
        found = descriptor_pool.Default().FindFileByName(name)
    except KeyError:
        return None
    file = descriptor_pb2.FileDescriptorProto()
    found.CopyToProto(file)
    return file


def from_protoset(path: str) -> bytes:
    """The descriptor set in a file; raises LoadTestError where it is none."""
    try:
        content = Path(path).read_bytes()
        descriptor_pb2.FileDescriptorSet.FromString(content)
    except OSError as error:
        raise LoadTestError(f"--protoset: {path} cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise LoadTestError(f"--protoset: {path} is not a compiled descriptor set") from error
    return content


def from_proto(path: str, import_paths: Iterable[str]) -> bytes:
    """The descriptor set that protoc makes of a .proto file.

    Imports are looked for in `import_paths`, the folder of the file and the working folder.
    """
    if not Path(path).is_file():
        raise LoadTestError(f"--proto: there is no file {path}")
    if find_spec("grpc_tools") is not None:
        protoc = [sys.executable, "-m", "grpc_tools.protoc"]
    elif which("protoc"):
        protoc = ["protoc"]
    else:
        raise LoadTestError(
            "--proto needs protoc: install grpcio-tools (pip) or protobuf-compiler (apt), or give --protoset"
        )
    folders = list(dict.fromkeys([str(Path(path).parent), ".", *import_paths]))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "files.protoset"
        done = subprocess.run(
            [
                *protoc,
                *(f"-I{place}" for place in folders),
                "--include_imports",
                f"--descriptor_set_out={made}",
                path,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LoadTestError(f"--proto: protoc refuses {path}: {done.stderr.strip()}")
        return made.read_bytes()
