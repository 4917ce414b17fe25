"""Forms with a file come back byte for byte, and what is none is refused."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from console.upload import parts, uploaded
from console.view import FormRefused

_LINES = st.sampled_from([b"\r\n", b"--", b"\r\n--x", b"\r\n\r\n", b"\x00\xff", b"\n", b'name="csrf"'])


def sent(boundary: bytes, **fields: bytes) -> bytes:
    """A form as browsers send it."""
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="a.jpg"\r\n\r\n%b\r\n'
        % (boundary, name.encode(), content)
        for name, content in fields.items()
    )
    return body + b"--%b--\r\n" % boundary


@settings(deadline=None)
@given(st.lists(_LINES | st.binary(max_size=20), max_size=8).map(b"".join), st.binary(max_size=9))
def test_contents_come_back_byte_for_byte(photo: bytes, csrf: bytes) -> None:
    body = sent(b"----Form7MA", photo=photo, csrf=csrf)
    assert parts(body, b"----Form7MA") == {"photo": photo, "csrf": csrf}


@pytest.mark.parametrize(
    "body", [b"", b"--b\r\n", sent(b"b", a=b"1")[:-6], sent(b"b", **{f"f{n}": b"" for n in range(30)})]
)
def test_what_is_cut_off_or_has_too_many_parts_is_refused(body: bytes) -> None:
    with pytest.raises(FormRefused):
        parts(body, b"b")


@pytest.mark.parametrize(("chunks", "read"), [(30, 30), (200, 129)])
def test_a_form_that_is_too_large_is_read_to_its_end_within_bounds(chunks: int, read: int) -> None:
    messages = iter([{"type": "http.request", "body": bytes(2**19), "more_body": True}] * chunks)
    taken = 0

    async def receive() -> dict[str, object]:
        nonlocal taken
        message = next(messages, None)
        if message is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        taken += 1
        return message

    header = (b"content-type", b"multipart/form-data; boundary=b")
    request = Request({"type": "http", "method": "POST", "headers": [header]}, receive)
    with pytest.raises(FormRefused) as refused:
        asyncio.run(uploaded(request, 2**20))
    assert (refused.value.status, taken) == (413, read)
