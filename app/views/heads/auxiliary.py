"""Whether the auxiliary losses do here what the paper added them for, where that was measured."""

from __future__ import annotations

from app.figures import study

PAPERS = "weight 0.3"
"""The paper's own, which is told in words."""


def show() -> None:
    """The section; nothing where there is no file."""
    study.show(
        "auxiliary",
        "Does the paper's reason hold here?",
        "The auxiliary losses were added so that gradients reach the lower modules. The same short training with four "
        "weights of them, from equal starts: what main gets right, and how large the gradient of the whole loss is at "
        "3a and 4a. (Paper, section 5.)",
        told=PAPERS,
    )
