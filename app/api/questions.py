"""The three questions that the API answers about a photo, as the commands `predict`, `inspect` and `explain` do."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from app.api.parameters import Options, Parameter
from app.api.refusals import RefusalError
from app.state import measures, network, operator, visitors
from app.state.known import read_beside
from inception_model.analysis.ood import features_of
from inception_model.analysis.ood_file import Known, known_path, load_known
from inception_model.analysis.prediction import TOP, prediction
from inception_model.architecture.spec import DEFAULT_HEAD
from inception_model.attribution import DEFAULT_METHOD, METHODS, Attribution, AttributionError, explain, find_method
from inception_model.attribution.explaining import read_layer, trained_head
from inception_model.attribution.options import check_places, read_options, read_pairs
from inception_model.attribution.reading import arrays
from inception_model.checkpoints.checkpoint import BUNDLED, CheckpointError
from inception_model.drawing.encoding import png_bytes
from inception_model.images.baselines import BASELINES, DEFAULT_BASELINE
from inception_model.images.decode import FormatError, ImageError, Photo
from inception_model.images.decoder_pool import POOL
from inception_model.images.geometry import square_text
from inception_model.inference.classifier import Classifier
from inception_model.inference.plain import describe, inspection, trace_arrays
from inception_model.inference.targets import AUTO, FORMS, TargetError
from inception_model.progress import Cancelled, Progress
from inception_model.serving.networks import NetworksInUseError
from inception_model.serving.service import BusyError, ForwardResult, InferenceService
from inception_model.trust import CHECKS, Badge, evidence
from inception_model.trust.checks import named_checks
from inception_model.trust.explanation import explanation, overlay

T = TypeVar("T")

NAME = "photo"
"""What every photo is called here: the name of its file is not read."""
JSON, ARRAYS, PICTURE = "json", "npz", "png"
TYPES = {ARRAYS: "application/zip", PICTURE: "image/png"}

_CHECKPOINT = Parameter("checkpoint", "a network of this server by its name", BUNDLED)
_SQUARE = Parameter(
    "square", "X,Y,SIDE in pixels of the upright photo: what the network is shown instead of its centre"
)
PREDICT = (
    Parameter("top", "classes per head", str(TOP)),
    Parameter("raw", "1: plain softmax instead of probabilities at the checkpoint's temperatures", "0"),
    _SQUARE,
    _CHECKPOINT,
)
INSPECT = (
    Parameter("out", f"{JSON}: shape, mean and more of each array; {ARRAYS}: the arrays", JSON),
    _SQUARE,
    _CHECKPOINT,
)
EXPLAIN = (
    Parameter("method", f"one of: {', '.join(METHODS)}", DEFAULT_METHOD),
    Parameter("head", "main, aux1 or aux2", DEFAULT_HEAD),
    Parameter("target", FORMS, AUTO),
    Parameter("layer", "MODULE[:BRANCH] for methods of a layer, such as 5b or 4d:5x5"),
    Parameter("baseline", f"one of: {', '.join(BASELINES)}", DEFAULT_BASELINE),
    Parameter("option", "NAME=VALUE, an option of the method", several=True),
    Parameter("check", f"how far can the map be believed: all, or one of: {', '.join(CHECKS)}", several=True),
    Parameter("out", f"{JSON}: the numbers; {ARRAYS}: the arrays; {PICTURE}: the map on the photo", JSON),
    _SQUARE,
    _CHECKPOINT,
)

PARAMETERS = {"predict": PREDICT, "inspect": INSPECT, "explain": EXPLAIN}
"""Options by question."""


@dataclass
class Ask:
    """A request on its way: its photo's file, its options, until when (monotonic) somebody waits for it, and its
    address, as which it has its turns."""

    data: bytes
    options: Options
    until: float
    user: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)
    guest: visitors.Guest = field(default_factory=visitors.Guest)

    def go_on(self) -> None:
        """Raises TimeoutError or Cancelled where nobody waits any more."""
        if self.cancel.is_set():
            raise Cancelled("nobody waits for this any more")
        if time.monotonic() > self.until:
            raise TimeoutError

    @property
    def left(self) -> float:
        """Seconds in which somebody still waits for it."""
        return max(0.0, self.until - time.monotonic())

    def photo(self) -> Photo:
        """The photo, decoded with the limits of uploads."""
        self.go_on()
        data, self.data = self.data, b""  # it is not needed any more, and may have 20 MB
        try:
            photo = POOL.read_photo(data, NAME, poll=self.go_on)
        except FormatError as error:
            raise RefusalError(415, str(error)) from None
        except ImageError as error:
            raise RefusalError(400, str(error)) from None
        try:
            return photo.with_square(self.options.one("square") or None)
        except ValueError as error:
            raise RefusalError(400, f"square: {error}") from None

    def service(self) -> InferenceService:
        """The network that is asked for."""
        name, allowed = self.options.one("checkpoint"), operator.checkpoints()
        if name not in allowed:
            raise RefusalError(404, f"There is no network {name!r} here; there are: {', '.join(allowed)}.")
        try:
            return network.lent(name, self.guest)
        except CheckpointError:
            raise RefusalError(503, f"The network {name} can't be loaded on this server.") from None


Found = dict[str, Any] | tuple[bytes, str]
"""An answer as JSON, or bytes with their media type."""


def told(work: Callable[[Ask], T], ask: Ask) -> T:
    """Does it; what the library refuses becomes a refusal of the request, errors of the program stay errors."""
    try:
        ask.go_on()
        return work(ask)
    except (AttributionError, TargetError) as error:
        raise RefusalError(400, str(error)) from None
    except (BusyError, NetworksInUseError) as error:
        raise RefusalError(503, str(error)) from None
    except TimeoutError:
        raise RefusalError(503, "It was not done in time: the server is busy, or the work is too large.") from None
    except Cancelled:
        raise RefusalError(503, "The work was stopped: try again in a moment.") from None


def _square(photo: Photo) -> str | None:
    """The square as it was asked for."""
    return None if photo.square is None else square_text(photo.square)


def _look(ask: Ask, service: InferenceService, photo: Photo) -> ForwardResult:
    return service.look(photo, user=ask.user, timeout=ask.left, poll=ask.go_on)


def predict(ask: Ask) -> Found:
    """What the heads say: the answer of `predict --json`, of one image and without its path."""
    count, raw = ask.options.number("top"), ask.options.yes("raw")
    photo, service = ask.photo(), ask.service()
    known = _known(ask.options.one("checkpoint"), service)
    look = _look(ask, service, photo)
    classifier = service.classifier.raw() if raw else service.classifier
    found = prediction(classifier, look.trace.heads, features_of(look.trace), count, known)
    return {**describe(classifier), "images": [{"square": _square(photo), **found, "seconds": round(look.seconds, 4)}]}


def inspect(ask: Ask) -> Found:
    """Every branch of every module: the answer of `inspect --json`, or the file that it writes."""
    out = ask.options.choice("out", (JSON, ARRAYS))
    photo, service = ask.photo(), ask.service()
    found = trace_arrays(_look(ask, service, photo).trace)
    if out == ARRAYS:
        return _npz(found), TYPES[ARRAYS]
    return {**describe(service.classifier), "square": _square(photo), **inspection(service.classifier, found)}


def prepare_explain(ask: Ask) -> Callable[[Ask], Found]:
    """Reads options and photo, and returns what explains it: that takes a worker, and its time."""
    out, options = ask.options.choice("out", (JSON, ARRAYS, PICTURE)), ask.options
    baseline = options.choice("baseline", tuple(BASELINES))
    row, pairs = find_method(options.one("method")), read_pairs(options.all("option"))
    try:
        checks = named_checks(options.all("check"))
    except KeyError as error:
        raise RefusalError(400, str(error.args[0])) from None
    photo, service = ask.photo(), ask.service()
    layer = options.one("layer") or None
    trained = trained_head(service.classifier, options.one("head"))
    chosen = read_options(row.options, pairs)
    check_places(row.options, chosen, service.classifier.network.spec, trained)
    try:
        read_layer(row, service.classifier, trained, layer)
    except ValueError as error:
        raise RefusalError(400, str(error)) from None

    def work(twin: Classifier, progress: Progress, cancel: threading.Event) -> tuple[Attribution, Badge | None]:
        x = twin.prepare(photo.image, photo.square)
        result = explain(
            twin, x, row.name, trained, options.one("target"), layer=layer, baseline=baseline, options=chosen,
            progress=progress, cancel=cancel,
        )  # fmt: skip
        measures.EXPLANATIONS.observe(result.seconds)
        badge = evidence(twin, x, result, checks, progress=progress, cancel=cancel) if checks else None
        return result, badge

    asked = row.name, trained, options.one("target"), layer, baseline, tuple(sorted(chosen.items())), checks

    def run(ask: Ask) -> Found:
        result, badge = service.share(
            (photo.key, ("api", asked)), work, user=ask.user, timeout=ask.left, cancel=ask.cancel, poll=ask.go_on
        )
        if out == PICTURE:
            return png_bytes(overlay(service.classifier, photo, result)), TYPES[PICTURE]
        if out == ARRAYS:
            return _npz(arrays(result)), TYPES[ARRAYS]
        return {**describe(service.classifier), "square": _square(photo), **explanation(result, badge)}

    return run


QUICK: dict[str, Callable[[Ask], Found]] = {"predict": predict, "inspect": inspect}
"""What is answered at once."""


def _npz(found: dict[str, np.ndarray]) -> bytes:
    held = io.BytesIO()
    np.savez_compressed(held, **found)  # type: ignore[arg-type]
    return held.getvalue()


def _known(name: str, service: InferenceService) -> Known | None:
    """What the checkpoint's classes look like to it; None where no file beside it says so, or a wrong one."""
    path = known_path(operator.checkpoints().get(name, name))
    try:
        return read_beside(path, load_known, service.classifier.checkpoint)
    except CheckpointError:
        return None
