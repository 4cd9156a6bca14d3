"""Pictures as the bytes and URLs that pages carry."""

from __future__ import annotations

import base64
import io

from PIL import Image


def png_bytes(image: Image.Image, *, level: int = 1) -> bytes:
    """The image as a PNG file; `level` is zlib's, 1 being fast."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def jpeg_bytes(image: Image.Image, *, quality: int = 85) -> bytes:
    """The image as a JPEG file: a photo for the screen."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def data_url(data: bytes, mime: str = "image/png") -> str:
    """Bytes as a URL that carries them: what an inline picture is made of."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
