"""What this process counts: requests, how long the network takes, how large batches are, who found no place.

`/api/metrics` shows it.
"""

from __future__ import annotations

from inception_model.serving.metrics import Counter, Histogram

REQUESTS = Counter("inceptionscope_requests", "HTTP requests answered, by route and status.", ("route", "status"))
LOOKS = Histogram("inceptionscope_look_seconds", "Time of looks at photos that were not remembered.")
EXPLANATIONS = Histogram("inceptionscope_explanation_seconds", "Time of attribution maps that were not remembered.")
BATCHES = Histogram("inceptionscope_batch_images", "Photos that shared a forward pass.", (1, 2, 4, 8, 16), "images")
REFUSED = Counter("inceptionscope_sessions_refused", "Pages that came when all places were taken.")
