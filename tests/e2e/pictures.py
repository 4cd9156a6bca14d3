"""Photos to upload: real ones that installed packages ship, re-encoded, and files that are no photos."""

from __future__ import annotations

import io

from PIL import Image

from inception_model.images.samples import sample_photo


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def photo(name: str, degrees: int = 0) -> bytes:
    """A sample photo as a PNG file of other bytes than the sample's: made smaller, and turned if asked for."""
    image = sample_photo(name).image.rotate(degrees, expand=True)
    return encoded(image.resize((image.width // 2, image.height // 2)))


NO_PHOTOS: dict[str, bytes] = {
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>',
    "letter.png": b"This is a letter, not a picture.",
    "torn.jpg": encoded(Image.effect_noise((200, 200), 90).convert("RGB"), "JPEG")[:4000],
}
