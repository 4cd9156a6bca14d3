"""Whether this process is being stopped: known before anything else is loaded, and set once."""

from __future__ import annotations

import threading

STOPPING = threading.Event()
"""From then on no work is begun that is not under way."""
STOPPED = "This server is being stopped: try again in a moment."
"""The sentence for whoever asks for some."""
