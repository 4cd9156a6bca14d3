"""What the costs buy in accuracy, where short trainings have measured it."""

from __future__ import annotations

from app.figures import study


def show() -> None:
    """A section for each study of which there is a file."""
    study.show(
        "naive",
        "Naive modules that really learn",
        "Three modules of Figure 2(a), stacked, and three with reductions, at three widths; all train for the same "
        "time. The line that lies higher gets more out of a multiply-add. (Paper, section 4.)",
        told="naive x 1",
    )
    study.show(
        "one-by-one",
        "What a 1×1 layer adds",
        "Network in Network, from which the paper took the idea, with two, one and no 1×1 layers on each convolution, "
        "widened until all cost the same multiply-adds. (Lin et al. 2013, section 3.1.)",
    )
    study.show(
        "pooling",
        "Average pooling against a fully connected layer",
        "The end of Network in Network, in three ways. The paper found about 0.6 points of top-1 for average pooling. "
        "(Paper, section 5; Lin et al. 2013, section 4.6.)",
    )
