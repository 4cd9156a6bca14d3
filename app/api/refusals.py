"""Why a request is not answered as asked: a status and one sentence, as JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from inception_model.serving.turns import Place

NOT_STORED = {"cache-control": "no-store"}
RETRY_SECONDS = 2
"""What a client that came at a bad moment is told to wait at least."""
FAILED = "The server failed at this request. Its operator finds out why by the id."
"""The sentence of status 500."""
LONGEST_SENTENCE = 1000
"""Characters; a sentence may list what is allowed, and repeat what was asked."""


class RefusalError(Exception):
    """The request is not answered: `status` is HTTP's, `sentence` says what was found and what to do, `place` where in
    line it stood, or would have stood."""

    def __init__(
        self, status: int, sentence: str, headers: dict[str, str] | None = None, place: Place | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers, self.place = status, sentence, headers or {}, place


def as_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer for machines that people can read; never kept by caches."""
    body = json.dumps(content, indent=2, default=str) + "\n"
    return Response(body, status, NOT_STORED | (headers or {}), "application/json")


def refused(refusal: RefusalError, request_id: str) -> Response:
    """`{"error": SENTENCE, "id": ...}`, with `position` where the line is known; the log names the same id."""
    headers, place = dict(refusal.headers), refusal.place
    if refusal.status in (429, 503):
        wait = 0.0 if place is None or place.seconds is None else place.seconds
        headers["retry-after"] = str(max(RETRY_SECONDS, math.ceil(wait)))
    if refusal.status in (408, 413):  # what still comes of the body is not read
        headers["connection"] = "close"
    where = {} if place is None else {"position": place.position}
    body = {"error": refusal.sentence[:LONGEST_SENTENCE], "id": request_id, **where}
    return as_json(body, refusal.status, headers)
