"""What each trained head says first about a photo: all that the contact sheet keeps of it, not its maps."""

from __future__ import annotations

import threading

from app.jobs.background import Job
from app.state import network
from inception_model.architecture.spec import HeadName
from inception_model.images.decode import Photo
from inception_model.inference.classifier import Answer, Classifier
from inception_model.progress import Progress


def first_answers_job(photo: Photo) -> Job:
    """Trained head -> its first answer: from the photo's look where that is known, else a forward pass of its own.

    The key names the photo itself, for a sheet asks about many.
    """
    service, shown = network.service(), network.classifier()

    def compute(twin: Classifier, progress: Progress, cancel: threading.Event) -> dict[HeadName, Answer]:
        known = service.known_look(photo.key)
        heads = twin.heads_of(twin.prepare(photo.image, photo.square)) if known is None else None
        says = {}
        for name in twin.trained_heads:
            logits = known.trace.logits(name) if known else getattr(heads, name)
            says[name] = shown.top(logits[0], name, 1)[0]
        return says

    return Job(("sheet", photo.key, network.raw()), compute)
