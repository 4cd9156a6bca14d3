"""Reports: what the network made of one photo, as one HTML file that needs no network, with a manifest for machines.

`collect` asks the network and gathers plain data; `render` and `manifest` turn them into a page and into JSON.
"""

from .collect import Findings, collect
from .page import manifest, render
from .saving import ReportError, save
from .settings import METHODS_SHOWN, Settings

__all__ = ["METHODS_SHOWN", "Findings", "ReportError", "Settings", "collect", "manifest", "render", "save"]
