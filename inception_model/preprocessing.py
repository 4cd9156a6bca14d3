"""From image bytes to the network's input, safely, and back from the network's square to the photo's pixels."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch import Tensor

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
WORKING_SIDE = 2048
"""Larger photos are shrunk to this longer side on decoding: more is never shown nor fed to the network."""


class ImageError(ValueError):
    """The bytes are no usable image; the message is one sentence for the user."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: RGB pixels, the hash of the bytes it came from, and its name."""

    image: Image.Image
    sha256: str
    name: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size


@dataclass(frozen=True)
class Box:
    """A rectangle on the photo, in its pixels: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def clipped(self, size: tuple[int, int]) -> Box:
        """The part that lies on a photo of that (width, height)."""
        width, height = size
        return Box(
            max(0.0, self.left), max(0.0, self.top), min(float(width), self.right), min(float(height), self.bottom)
        )


def read_photo(data: bytes, name: str = "image", *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decodes untrusted bytes to upright sRGB; raises ImageError with one clear sentence.

    Byte length and pixel count are checked before decoding. Animations give their first frame, transparency is put
    on white, 16-bit greys are scaled, EXIF orientation and colour profile are applied.
    """
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): choose a photo file.")
    if len(data) > max_bytes:
        raise ImageError(
            f"{name} has {len(data) / 2**20:.1f} MB; the limit is {max_bytes / 2**20:.0f} MB: "
            "save a smaller copy and try again."
        )
    if b"<svg" in data[:1024].lower():
        raise ImageError(f"{name} is an SVG drawing; the network needs pixels: export it as PNG and try again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as source:
                width, height = source.size
                if width * height > max_pixels:
                    raise ImageError(
                        f"{name} has {width} x {height} = {width * height / 1e6:.0f} million pixels; the limit is "
                        f"{max_pixels / 1e6:.0f} million: save a smaller copy and try again."
                    )
                source.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
                source.load()
                image = _to_srgb(source)
    except Image.DecompressionBombError:
        raise ImageError(_too_large(f"{name} declares hundreds of millions of pixels", max_pixels)) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image that can be read here (allowed: {', '.join(FORMATS)}).") from None
    except ImageError:
        raise
    except Exception as error:  # decoders raise many types on damaged files
        raise ImageError(f"{name} is damaged or cut short and can't be decoded ({error}).") from None
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS)
    return Photo(image, hashlib.sha256(data).hexdigest(), name)


def _too_large(found: str, max_pixels: int) -> str:
    return f"{found}; the limit is {max_pixels / 1e6:.0f} million pixels: save a smaller copy and try again."


def open_photo(path: Path) -> Photo:
    """`read_photo` of a file; a missing or unreadable file is an ImageError too."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror or error}.") from None
    return read_photo(data, path.name)


def _to_srgb(source: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(source)
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if image.mode.startswith("I") and values.max() > 255 else max(float(values.max()), 1.0)
        image = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8), "L")
    profile = source.info.get("icc_profile")
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            image = converted if converted is not None else image
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile is no reason to refuse the photo
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(canvas, rgba)
    return image.convert("RGB")


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input. Weights travel with it.

    The shorter side is resized to `resize` pixels and the centre `size` x `size` is cut out.
    Values are RGB (or BGR) in [0, 1] times `scale`, minus `mean`, divided by `std`.
    """

    size: int = 224
    resize: int = 256
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: Literal["RGB", "BGR"] = "RGB"

    def view(self, size: tuple[int, int]) -> Box:
        """The part of a photo of that (width, height) that the network sees: a centred square, in photo pixels."""
        width, height = size
        side = min(width, height) * self.size / self.resize
        left, top = (width - side) / 2, (height - side) / 2
        return Box(left, top, left + side, top + side)

    def crop(self, image: Image.Image, box: Box | None = None) -> Image.Image:
        """The network's square (size x size, RGB, before normalisation): the centre view, or `box` of the photo."""
        filter_ = Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR
        box = box or self.view(image.size)
        corners = (box.left, box.top, box.right, box.bottom)
        return image.resize((self.size, self.size), filter_, box=corners)

    def tensor(self, crop: Image.Image) -> Tensor:
        """A crop -> normalised float32 (1, 3, size, size) on the CPU."""
        pixels = torch.from_numpy(np.array(crop.convert("RGB"))).permute(2, 0, 1).unsqueeze(0)
        return self.normalise(pixels.float() / 255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """RGB in [0, 1], (N, 3, H, W) -> the network's input."""
        if self.channels == "BGR":
            pixels = pixels.flip(1)
        mean, std = self._stats(pixels)
        return (pixels * self.scale - mean) / std

    def denormalise(self, x: Tensor) -> Tensor:
        """The inverse of `normalise`: RGB in [0, 1] (not clipped)."""
        mean, std = self._stats(x)
        pixels = (x * std + mean) / self.scale
        return pixels.flip(1) if self.channels == "BGR" else pixels

    def __call__(self, image: Image.Image, box: Box | None = None) -> Tensor:
        """A photo -> (1, 3, size, size) float32 on the CPU."""
        return self.tensor(self.crop(image, box))

    def to_photo(self, size: tuple[int, int], x: float, y: float) -> tuple[float, float]:
        """A position in the network's square, in its pixels -> the same position on the photo."""
        view = self.view(size)
        return view.left + x * view.width / self.size, view.top + y * view.height / self.size

    def box_to_photo(self, size: tuple[int, int], box: Box) -> Box:
        """A rectangle in the network's square -> on the photo."""
        left, top = self.to_photo(size, box.left, box.top)
        right, bottom = self.to_photo(size, box.right, box.bottom)
        return Box(left, top, right, bottom)

    @property
    def words(self) -> str:
        """What happens to a photo before the network, for people."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        scale = "" if self.scale == 1 else f", scale {self.scale:g}"
        return (
            f"shorter side to {self.resize} px, centre {self.size}×{self.size}, {self.interpolation}; "
            f"{self.channels}, minus mean ({mean}), divided by ({std}){scale}"
        )

    def _stats(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.tensor(self.mean, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
        return mean, std

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """From JSON metadata (lists become tuples)."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)


TINY_IMAGENET = Preprocessing(resize=224, interpolation="bicubic")
TORCHVISION = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""torchvision's weights: ImageNet statistics undone by `transform_input`, which leaves (x - 0.5) / 0.5."""
CAFFE = Preprocessing(scale=255.0, mean=(104.0, 117.0, 123.0), std=(1.0, 1.0, 1.0), channels="BGR")
INCEPTION5H = Preprocessing(scale=255.0, mean=(117.0, 117.0, 117.0), std=(1.0, 1.0, 1.0))
