"""The photo of a request: its whole body, or the one file of a form. Never more than the limit is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from app.api.refusals import RefusalError
from inception_model.images.limits import MAX_BYTES, SMALLER

FORM = "multipart/form-data"
AROUND = 16 * 1024
"""Bytes that a form may have besides its file."""
SECONDS = 30.0
"""How long a photo may take to arrive."""
TYPES = f"image/..., application/octet-stream or {FORM}"


async def photo_bytes(request: Request) -> bytes:
    """The file as it was sent; what it holds is not looked at. Raises RefusalError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/octet-stream", FORM) and not kind.startswith("image/"):
        raise RefusalError(415, f"The body's type is {kind!r}; a photo is sent as {TYPES}.")
    limit = MAX_BYTES + (AROUND if kind == FORM else 0)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise RefusalError(413, _too_large(int(declared)))
    try:
        async with asyncio.timeout(SECONDS):
            data = await (_of_form(request, limit) if kind == FORM else _whole(request, limit))
    except TimeoutError:
        raise RefusalError(408, f"The photo did not arrive within {SECONDS:g} seconds.") from None
    except ClientDisconnect:
        raise RefusalError(400, "The photo did not arrive as a whole.") from None
    if not data:
        raise RefusalError(400, f"There is no photo: send its bytes as the request's body ({TYPES}).")
    if len(data) > MAX_BYTES:
        raise RefusalError(413, _too_large(len(data)))
    return data


def _too_large(found: int) -> str:
    more = f"{found / 2**20:.1f} MB" if found > MAX_BYTES else "more"
    return f"The photo has {more}; the limit is {MAX_BYTES / 2**20:.0f} MB: {SMALLER}."


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body in pieces; raises RefusalError once there is more of it than allowed."""
    seen = 0
    async for piece in request.stream():
        seen += len(piece)
        if seen > limit:
            raise RefusalError(413, _too_large(0))
        yield piece


async def _whole(request: Request, limit: int) -> bytes:
    pieces = [piece async for piece in _bounded(request, limit)]
    return b"".join(pieces)


async def _of_form(request: Request, limit: int) -> bytes:
    try:
        parser = MultiPartParser(request.headers, _bounded(request, limit), max_files=1, max_fields=0)
        form = await parser.parse()
    except (MultiPartException, KeyError):  # KeyError: a form without a boundary
        raise RefusalError(
            400, "The form can't be read: it holds one file and nothing else; options belong into the address."
        ) from None
    try:
        file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        return b"" if file is None else await file.read()
    finally:
        await form.close()
