"""A form with a file, as browsers send it (RFC 7578)."""

from __future__ import annotations

import re

from starlette.requests import Request

from console.view import FormRefused

_MOST_PARTS = 20
_MOST_READ = 64 * 2**20
"""Bytes that are read, though not kept, of a form that is too large: a browser shows no answer before it has
sent everything."""
_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?\s*$')
_NAME = re.compile(rb'name="([^"]*)"')


async def uploaded(request: Request, most_bytes: int) -> dict[str, bytes]:
    """The fields of a form by their names, a file's content under the name of its field.

    Raises `FormRefused` where it is larger than `most_bytes`, or no form with parts.
    """
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    if found is None:
        raise FormRefused("A form with a file was expected.", 415)
    body, count = bytearray(), 0
    async for chunk in request.stream():
        count += len(chunk)
        if count <= most_bytes:
            body += chunk
        elif count > _MOST_READ:
            break
    if count > most_bytes:
        raise FormRefused(f"A file of at most {most_bytes / 2**20:.1f} MiB is taken.", 413)
    return parts(bytes(body), found[1].rstrip().encode())


def parts(body: bytes, boundary: bytes) -> dict[str, bytes]:
    """Content by name. Raises `FormRefused` where the body does not end as it should, or has many parts."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not 2 <= len(pieces) <= _MOST_PARTS or not pieces[-1].startswith(b"--"):
        raise FormRefused("The form is cut off, or has too many parts.", 400)
    found: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            found[name[1].decode("utf-8", "replace")] = content
    return found
