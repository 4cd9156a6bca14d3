"""Model: where the weights come from, what they reach, what is known to be wrong, and how to get others."""

from __future__ import annotations

from app import theme
from app.figures import network_line
from app.state import network
from app.views.model import benchmark, facts

network_line.show("model")
checkpoint = network.checkpoint()
theme.heading(
    f"The network: {checkpoint.name}",
    "Everything on the other pages comes from this one file of weights and this description of the architecture.",
)
facts.facts(checkpoint)
facts.accuracy(checkpoint)
benchmark.show()
facts.card(checkpoint)
theme.heading(
    "Other weights",
    "Published checkpoints are fetched only when you ask, checked against a known hash and kept in the cache; "
    "a file of your own is chosen in the sidebar.",
)
facts.published()
