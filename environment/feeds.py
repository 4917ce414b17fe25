"""Where readings come from: a file that is replaced, or an address on the web, both bounded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from environment.readings import FeedError
from environment.settings import EnvironmentSettings

if TYPE_CHECKING:
    import aiohttp

_CHUNK = 65_536


class Feed(Protocol):
    """A source of readings."""

    @property
    def name(self) -> str:
        """As the log calls it."""
        ...

    async def read(self) -> bytes | None:
        """The content; None where it is what it was. Raises FeedError where it cannot be had."""
        ...


class FileFeed:
    """A file, read where its time, size or inode has changed."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        """`most_bytes`: of the file."""
        self.name = str(path)
        self._path = path
        self._most = most_bytes
        self._seen: tuple[int, int, int] | None = None

    async def read(self) -> bytes | None:
        """As of `Feed`."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes | None:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                seen = status.st_ino, status.st_mtime_ns, status.st_size
                if seen == self._seen:
                    return None
                content = file.read(self._most + 1)
        except OSError as error:
            raise FeedError(f"it cannot be read: {error.strerror or error}") from error
        if len(content) > self._most:
            raise FeedError(f"it has more than {self._most:,} bytes")
        self._seen = seen
        return content


class UrlFeed:
    """An address, asked with the tag of its last answer, so that it may say that nothing has changed."""

    def __init__(self, url: str, timeout_s: float, most_bytes: int) -> None:
        """`timeout_s`: of a whole answer; `most_bytes`: of its body."""
        self.name = url.partition("?")[0]
        self._url = url
        self._timeout_s = timeout_s
        self._most = most_bytes
        self._tag = ""

    async def read(self) -> bytes | None:
        """As of `Feed`; no redirect is followed, and no compressed body is asked for."""
        # Only a router with such a feed pays for the library.
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        headers = {"Accept-Encoding": "identity"} | ({"If-None-Match": self._tag} if self._tag else {})
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
                session.get(self._url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status == 304 and self._tag:
                    return None
                if answer.status != 200:
                    raise FeedError(f"it answered with status {answer.status}")
                content = await self._body(answer)
        except TimeoutError as error:
            raise FeedError(f"it did not answer within {self._timeout_s:g} s") from error
        except aiohttp.ClientError as error:
            raise FeedError(f"it cannot be reached: {error}") from error
        self._tag = answer.headers.get("ETag", "")[:256]
        return content

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        count = 0
        async for part in answer.content.iter_chunked(_CHUNK):
            count += len(part)
            if count > self._most:
                raise FeedError(f"it has more than {self._most:,} bytes")
            parts.append(part)
        return b"".join(parts)


def feed_of(settings: EnvironmentSettings) -> Feed | None:
    """The configured feed; None where there is none."""
    if settings.file is not None:
        return FileFeed(settings.file, settings.most_bytes)
    if settings.url is not None:
        return UrlFeed(settings.url, settings.timeout_s, settings.most_bytes)
    return None
