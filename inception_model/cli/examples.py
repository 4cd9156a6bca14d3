"""Examples under `--help` of every command: whole command lines without the program's name."""

from __future__ import annotations

import argparse
import textwrap

EXAMPLES: dict[str, tuple[str, ...]] = {
    "app": ("app",),
    "predict": ("predict cat.jpg dog.jpg --top 3", "predict cat.jpg --checkpoint torchvision-imagenet --json"),
    "inspect": ("inspect cat.jpg --out cat.npz",),
    "explain": (
        "explain cat.jpg --method gradcam --out OUT",
        "explain cat.jpg --method gradcam --check randomisation --check 'random logit' --out OUT",
        "explain cat.jpg --method integrated_gradients --target auto-3 --option steps=100 --out OUT",
        "explain cat.jpg --option rule=adaptive --option error=0.5 --check convergence --out OUT",
    ),
    "ablate": (
        "ablate cat.jpg --off 4d:5x5 --off 4e:pool:17",
        "ablate cat.jpg --sweep --fill mean-blur",
    ),
    "patch": ("patch cat.jpg dog.jpg", "patch cat.jpg dog.jpg --head aux2 --target 3-7 --json"),
    "fool": (
        "fool cat.jpg",
        "fool cat.jpg --disturbance blur --disturbance jpeg --no-attack",
        "fool cat.jpg --head aux1 --norm l2 --target 'Persian cat' --json",
        "fool cat.jpg --bound 4 --out FOLDER",
    ),
    "visualize": (
        "visualize 4d:5x5:17 --out channel.png",
        "visualize 4d:5x5:17 4d:pool:3 --diversity 4 --steps 256 --seed 1 --out sheet.png --json",
        "visualize 4d:5x5:17 --neuron 4,4 --negative --out neuron.png",
        "visualize 4d:5x5 --direction 3=1,17=-0.5 --size 192 --out direction.png",
        "visualize 4d:5x5:17 --minus 4d:5x5:3 --out difference.png",
        "visualize --class 3 --head aux1 --maco --out class.png",
        "visualize 4d:pool:60 --from cat.jpg --out dream.png",
    ),
    "atlas": ("atlas build", "atlas site --out SITE"),
    "atlas build": (
        "atlas build",
        "atlas build --checkpoint torchvision-imagenet --only 3a,4d:5x5 --limit 100 --out ATLAS",
    ),
    "atlas site": ("atlas site --out SITE", "atlas site --atlas ATLAS --app http://localhost:8501 --out SITE --json"),
    "index": (
        "index DATA --limit 1000 --out FOLDER",
        "index DATA --split train --out FOLDER --map umap",
        "index DATA --out FOLDER --engine ray --workers 4 --json",
    ),
    "circuit": ("circuit 4d:5x5:17", "circuit 4d:5x5:17 --count 20 --out circuit.png --json"),
    "channels": ("channels zebra cat.jpg dog.jpg", "channels 3-7 cat.jpg --head aux2 --count 20 --json"),
    "specialisation": ("specialisation", "specialisation 3a 3b --checkpoint torchvision-imagenet --json"),
    "ledger": ("ledger cat.jpg --head aux2 --steps 100", "ledger cat.jpg --error 1 --limit 800"),
    "report": (
        "report cat.jpg --out cat.html --manifest cat.json",
        "report cat.jpg --out cat.html --without-image --method gradcam",
    ),
    "compute": ("compute --spec paper", "compute --spec inception5h --naive figure-2a --json"),
    "export": (
        "export --out googlenet.onnx",
        "export --out maps.onnx --branches --checkpoint caffe-imagenet",
    ),
    "checkpoints": ("checkpoints list", "checkpoints show tiny-imagenet"),
    "checkpoints list": ("checkpoints list --json",),
    "checkpoints fetch": ("checkpoints fetch torchvision-imagenet",),
    "checkpoints show": ("checkpoints show tiny-imagenet", "checkpoints show RUN/checkpoint.safetensors --json"),
    "checkpoints classes": ("checkpoints classes tiny-imagenet cat", "checkpoints classes caffe-imagenet --json"),
    "train": (
        "train --data DATA --out RUN",
        "train --data DATA --out RUN --start tiny-imagenet --lr 0.01",
        "train --data DATA --out RUN --recipe paper",
    ),
    "study": (
        "study auxiliary DATA --out auxiliary.json",
        "study naive DATA --out naive.json --seeds 5 --epochs 2 --limit 20000",
    ),
    "evaluate": (
        "evaluate --data DATA --limit 1000",
        "evaluate --data DATA --confusions",
        "evaluate DATA --crops 144 --checkpoint A.safetensors --checkpoint B.safetensors --out table3.json",
    ),
    "ood": ("ood DATA --limit 10000", "ood DATA --checkpoint RUN/checkpoint.safetensors --json"),
    "calibrate": (
        "calibrate DATA --checkpoint RUN/checkpoint.safetensors",
        "calibrate DATA --checkpoint tiny-imagenet --out calibrated.safetensors",
    ),
    "localize": (
        "localize DATA --limit 1000 --method gradcam --markdown",
        "localize DATA --mosaic --methods all --heads all --limit 200 --json focus.json",
        "localize focus.json --markdown",
    ),
    "benchmark": (
        "benchmark DATA --limit 500 --out FOLDER",
        "benchmark DATA --methods gradcam saliency --head main --removed 20 40 60 80 --out FOLDER",
    ),
    "fit-heads": (
        "fit-heads DATA --checkpoint torchvision-imagenet",
        "fit-heads DATA --checkpoint net.pth --heads aux2 --limit 20000 --epochs 60 --no-probes --json",
        "fit-heads DATA --trial --limit 20000",
    ),
    "probe": ("probe --data DATA --out RUN/checkpoint.probes.safetensors",),
}
"""By command, or command and action."""


def actions_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers under a parser, by the word that chooses them."""
    return {
        name: chosen
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, chosen in action.choices.items()
    }


def add_examples(parser: argparse.ArgumentParser, program: str, path: str = "") -> None:
    """Writes the examples under the help of every command below this parser, in front of what it says there now."""
    for name, below in actions_of(parser).items():
        place = f"{path} {name}".strip()
        lines = ["examples:", *(f"  {program} {example}" for example in EXAMPLES[place])]
        if below.epilog:
            raw = below.formatter_class is argparse.RawDescriptionHelpFormatter
            lines += ["", below.epilog if raw else textwrap.fill(below.epilog, 100)]
        below.epilog, below.formatter_class = "\n".join(lines), argparse.RawDescriptionHelpFormatter
        add_examples(below, program, place)
