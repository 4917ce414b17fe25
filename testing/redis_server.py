"""A Redis or Valkey server for tests: started on a Unix socket, frozen, killed and restarted.

The program is taken from PATH; else Debian's packages are unpacked below `build/`, which needs apt but
neither root nor an installation. Where neither works, the tests are skipped with the reason.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "redis-server"
# The server program is in redis-tools; the libraries are those that a bare Debian lacks.
PACKAGES = ("redis-server", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1")


@cache
def redis_program(name: str = "redis-server") -> tuple[str, dict[str, str]]:
    """Path of the server program and the environment it runs in; skips the test where there is none."""
    found = shutil.which(name)
    if found is not None:
        return found, dict(os.environ)
    if name != "redis-server":
        pytest.skip(f"{name} is not on PATH")
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("redis-server is not on PATH, and there is no apt-get to fetch it with")
    unpacked = CACHE / "root"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            _unpack(unpacked)
    libraries = [str(folder) for folder in (unpacked / "usr/lib").glob("*-linux-gnu*")]
    environment = dict(os.environ, LD_LIBRARY_PATH=":".join(libraries))
    return str(unpacked / "usr/bin/redis-server"), environment


def _unpack(target: Path) -> None:
    staged = CACHE / "staged"
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "root").mkdir(parents=True)
    download = ["apt-get", "download", *PACKAGES]
    result = subprocess.run(download, cwd=staged, capture_output=True, text=True, timeout=120)
    if result.returncode:
        # The lists of a fresh machine are absent or name packages that were replaced since.
        subprocess.run(["apt-get", "update"], capture_output=True, timeout=120)
        result = subprocess.run(download, cwd=staged, capture_output=True, text=True, timeout=120)
    if result.returncode:
        pytest.skip(f"redis-server is not on PATH and apt-get cannot fetch it: {result.stderr.strip()}")
    for package in staged.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(staged / "root")], check=True, timeout=60)
    (staged / "root").rename(target)
    shutil.rmtree(staged)


@contextmanager
def running_redis(*options: str, program: str = "redis-server") -> Iterator["RedisServer"]:
    """A server in a fresh folder, ended with the body."""
    with TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder), *options, program=program)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class RedisServer:
    """One server in a folder; a write is on disk before it is acknowledged (`appendfsync always`)."""

    def __init__(self, folder: Path, *options: str, program: str = "redis-server") -> None:
        """`folder` must have a short path: the name of a Unix socket has at most 107 bytes."""
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._options = options
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until it answers; its data is what the folder holds."""
        program, environment = redis_program(self._program)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                program, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no",
                "--logfile", str(self.folder / "redis.log"), *self._options,
            ],
            env=environment,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.AuthenticationError:
                    return
                except redis.ConnectionError as error:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        log = self.folder / "redis.log"
                        tail = log.read_text()[-2_000:] if log.exists() else "no log"
                        raise RuntimeError(f"the test's Redis does not start: {error}\n{tail}") from error
                    time.sleep(0.01)

    def client(self) -> redis.Redis:
        """A client that does not retry; the caller closes it."""
        return redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0))

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=30)

    def freeze(self) -> None:
        """The server stays connected and answers no request (SIGSTOP)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen server continue (SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends the server, frozen or not; idempotent."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.kill()
            process.wait(timeout=30)
