"""What a weight file, and what lies beside one, may cost: one number per kind of cost, and the words of a refusal.

Everything here is compared with what a file declares before anything of that size is allocated. The numbers are far
above any GoogLeNet and far below what hurts: a refusal takes less than 2 seconds of a processor and 300 MB.
"""

from __future__ import annotations

from .checkpoint import CheckpointError

MAX_FILE = 1 << 30
"""Bytes of a file: training checkpoints hold the optimiser's state as well, which is never read."""
MAX_DATA = 240 << 20
"""Bytes of all tensors that are read: 32,768 classes at three heads in float16 still pass."""
MAX_TENSORS = 2_000
"""torchvision's file has 364."""
MAX_NAME = 256
"""Characters of a tensor's or a layer's name."""
MAX_DIMENSIONS = 8
MAX_SIZE = 1 << 40
"""One size, stride or offset; also what keeps products of them short numbers."""

MAX_HEADER = 8 << 20
"""Bytes of a safetensors header: 32,768 labels and a card take about five million."""
MAX_MARKS = 400_000
"""Brackets, braces and commas of one JSON text: each can become an object of some hundred bytes."""

MAX_PICKLE = 4 << 20
"""Bytes of the pickles in a torch file; torchvision's takes 50,000, with an optimiser's state some hundred thousand."""
MAX_OPCODES = 200_000
MAX_DIRECTORY = 1 << 20
"""Bytes of a zip archive's list of entries."""

MAX_LAYERS = 10_000
"""Of a Caffe file; bvlc_googlenet has 170, most of them without weights."""
MAX_FIELDS = 200_000
"""Fields of all messages in a protobuf file that are looked at."""
MAX_BLOBS = 16
"""Blobs of one Caffe layer: weight and bias; batch norm has three."""

MAX_CLASSES = 32_768
MAX_SIDE = 2_048
"""Pixels of a network's input."""
MAX_WIDTH = 8_192
"""Channels or features of a layer that a file's own architecture names."""
MAX_MODULES = 32
MAX_MACS = 40 * 10**9
"""Multiply-adds for one image; GoogLeNet takes 1.6 thousand million."""
MAX_VALUES = 100 * 10**6
"""Numbers that all layers give for one image; GoogLeNet's give 3 million."""
MAX_KERNEL = 31
MAX_WORDS = 1_000
"""Characters of a label's words; ImageNet's longest have 131."""
MAX_SOURCE = 4_000
"""Characters of the sentence that says where weights come from."""
MAX_CARD = 400_000
"""Characters of a model card."""

MAX_MEASURED = 200_000
"""Characters of a calibration or a training curve; 500 points of three heads have 60,000."""
MAX_BESIDE = 4 << 20
"""Bytes of a JSON file beside the weights; the bundled benchmark has 50,000."""
MAX_IMAGES = 10**12
"""Images that a probe or a benchmark says it has seen."""
MAX_ROWS = 2_000
"""Rows of a benchmark: methods x heads."""
MAX_CURVE = 2_000
"""Points of one of its curves."""

AGAIN = "save it again with the program that made it"
AGAIN_WITH_TORCH = "save it again with `torch.save(model.state_dict(), file)`"


def refuse_above(found: int, most: int, what: str, advice: str = AGAIN, *, where: str = "it") -> None:
    """Raises CheckpointError where more was found than is read; `what` is what is counted, in `where`."""
    if found > most:
        raise CheckpointError(f"{where} has {found:,} {what}, at most {most:,} are read{advice and f'; {advice}'}")


def refuse_beyond(met: int, most: int, what: str, advice: str = AGAIN) -> None:
    """The same while something is being counted, whose number in all nobody knows yet."""
    if met > most:
        raise CheckpointError(f"it has more than {most:,} {what}; {advice}")
