"""This project's own files with texts that lie: every field, of every wrong kind, size and depth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from inception_model.architecture.variants import tiny
from inception_model.checkpoints import safetensors_format
from inception_model.images.preprocessing import Preprocessing
from tests.checkpoints.files import tiny_checkpoint
from tests.checkpoints.hostile import Hostile
from tests.checkpoints.hostile.safetensors_files import safetensors


@cache
def parts() -> tuple[dict[str, Any], bytes]:
    """Header and numbers of a good small file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.safetensors"
        safetensors_format.write(tiny_checkpoint(), path)
        raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    return json.loads(raw[8:end]), raw[end:]


def with_texts(**texts: str | None) -> Callable[[Path], None]:
    """Writes the small file with other metadata; None leaves one out."""

    def write(path: Path) -> None:
        header, data = parts()
        metadata = {k: v for k, v in (header["__metadata__"] | texts).items() if v is not None}
        path.write_bytes(safetensors({**header, "__metadata__": metadata}, data))

    return write


def spec(**changes: Any) -> str:
    return json.dumps(asdict(tiny(5, batch_norm=1e-4)) | changes)


def nested_spec(part: str, **changes: Any) -> str:
    """A spec whose stem, or whose first module or aux head, differs."""
    value = json.loads(spec())
    target = value[part] if part == "stem" else value[part][0]
    target.update(changes)
    return json.dumps(value)


def wide_spec(conv1: int, reduce: int, conv2: int) -> str:
    """A spec whose stem has these widths; its first module takes what comes."""
    value = json.loads(spec())
    value["stem"] |= {"conv1": conv1, "conv2_reduce": reduce, "conv2": conv2}
    value["blocks"][0]["in_channels"] = conv2
    return json.dumps(value)


def preprocessing(**changes: Any) -> str:
    return json.dumps(asdict(Preprocessing(resize=240)) | changes)


def labels(**changes: Any) -> str:
    rows = [{"index": n, "wnid": f"n{n}", "words": f"thing {n}"} for n in range(5)]
    rows[0] |= changes
    return json.dumps(rows)


def main_is(top1: str) -> str:
    return f'{{"main": {{"top1": {top1}, "top5": 0.9}}}}'


DEEP = "[" * 100_000 + "]" * 100_000
KINDS = {"a text": '"abc"', "a whole number": "7", "a truth value": "true", "nothing": "null", "an object": "{}"}
BLOCKS = asdict(tiny(5))["blocks"]

REFUSED: dict[str, tuple[str, str | None, str]] = {
    "accuracy that is no JSON": ("accuracy", "abc", "'accuracy' is wrong: it is no JSON"),
    **{
        f"accuracy that is {kind}": ("accuracy", text, f"'accuracy' is wrong: it is {kind}")
        for kind, text in KINDS.items()
        if kind != "an object"
    },
    "accuracy of 1e999": ("accuracy", "1e999", "it is a number"),
    "accuracy that is a list": ("accuracy", "[0.5]", "it is a list"),
    "accuracy 100,000 deep": ("accuracy", DEEP, "it has 200,000 characters|nested too deeply"),
    "accuracy 5,000 deep": ("accuracy", "[" * 5000 + "]" * 5000, "nested too deeply"),
    "accuracy of a text per head": ("accuracy", '{"main": "abc"}', "main is a text"),
    "accuracy of a list per head": ("accuracy", '{"main": [0.4, 0.7]}', "main is a list"),
    "accuracy in words": ("accuracy", main_is('"0.4"'), "top1 of main is a text, where a number from 0 to 1"),
    "accuracy of a truth value": ("accuracy", main_is("true"), "top1 of main is a truth value"),
    "accuracy of NaN": ("accuracy", main_is("NaN"), "no finite number"),
    "accuracy of Infinity": ("accuracy", main_is("Infinity"), "no finite number"),
    "accuracy of 1e999 per head": ("accuracy", main_is("1e999"), "top1 of main is too large"),
    "accuracy of 10^400": ("accuracy", main_is("1" + "0" * 400), "top1 of main is too large"),
    "accuracy of 47": ("accuracy", main_is("47"), "top1 of main is 47"),
    "accuracy below 0": ("accuracy", main_is("-0.1"), "top1 of main is -0.1"),
    "accuracy of a hundred heads": ("accuracy", json.dumps({str(n): {} for n in range(100)}), "100 entries"),
    "accuracy of an unknown head": ("accuracy", '{"aux7": {"top1": 0, "top5": 0}}', "a head that there isn't"),
    "accuracy without a part": ("accuracy", '{"main": {"top1": 0.4}}', "main lacks top5"),
    "accuracy of one head twice": ("accuracy", '{"main": {}, "main": {}}', "something twice"),
    "no accuracy": ("accuracy", None, "the metadata lack 'accuracy'"),
    "accuracy of 6 MB": ("accuracy", " " * (6 * 10**6), "it has 6,000,000 characters, at most 16,384"),
    **{f"heads that are {kind}": ("heads_trained", text, f"it is {kind}") for kind, text in KINDS.items()},
    "heads of lists": ("heads_trained", '[["main"]]', "a head is a list"),
    "an unknown head": ("heads_trained", '["aux9"]', "a head is another word; allowed: aux1, aux2, main"),
    "a million heads": ("heads_trained", json.dumps(["main"] * 300_000), "it has [0-9,]+ characters, at most 16,384"),
    **{f"labels that are {kind}": ("labels", text, f"it is {kind}") for kind, text in KINDS.items()},
    "a label of ten million letters": ("labels", labels(words="x" * 10**7), "bytes of header|characters in its header"),
    "a label of two million letters": (
        "labels",
        labels(words="x" * (2 * 10**6)),
        "a label's words has 2,000,000 characters, at most 1,000",
    ),
    "a label of no words": ("labels", labels(words=None), "a label's words is nothing"),
    "a label of a list": ("labels", labels(wnid=["n"]), "a label's wnid is a list"),
    "a label with more": ("labels", labels(more=1), "1 fields that nobody knows"),
    "a label's index in words": ("labels", labels(index="0"), "don't count from 0"),
    "a label's true index": ("labels", labels(index=False), "don't count from 0"),
    "100,000 labels": ("labels", json.dumps([0] * 100_000), "it has 100,000 entries, at most 32,768"),
    "390,000 empty objects as labels": (
        "labels",
        "[" + "{}," * 190_000 + "{}]",
        "it has 190,001 entries, at most 32,768",
    ),
    "labels 100,000 deep": ("labels", DEEP, "nested too deeply"),
    "labels for other classes": ("labels", json.dumps(json.loads(labels())[:4]), "4 labels for 5 classes"),
    **{f"a spec that is {kind}": ("spec", text, f"it is {kind}|it lacks") for kind, text in KINDS.items()},
    "a spec 5,000 deep": ("spec", "[" * 5000 + "]" * 5000, "nested too deeply"),
    "a spec of another family": ("spec", '{"name": "vgg", "classes": 5}', "its name is another word; allowed: "),
    "a spec whose name is a list": ("spec", '{"name": ["paper"], "classes": 5}', "its name is a list"),
    "a billion classes": ("spec", '{"name": "paper", "classes": 1000000000}', r"1,000,000,000, allowed is 1 to 32,768"),
    "10^300 classes": ("spec", '{"name": "paper", "classes": 1' + "0" * 300 + "}", "a number of more than"),
    "half a class": ("spec", '{"name": "paper", "classes": 5.5}', "its number of classes is a number"),
    "true classes": ("spec", '{"name": "paper", "classes": true}', "its number of classes is a truth value"),
    "a spec with a name of 10,000 letters": ("spec", spec(name="x" * 10_000), "its name has 10,000 characters"),
    "a spec whose name is a sentence": ("spec", spec(name="<b>&</b>"), "its name has 8 characters"),
    "a thousand modules": ("spec", spec(blocks=[{}] * 1000), "its list of modules has 1,000 entries, at most 32"),
    "100,000 modules": ("spec", spec(blocks=[BLOCKS[0]] * 1000), "it has [0-9,]+ characters, at most 16,384"),
    "two modules of one name": ("spec", spec(blocks=[BLOCKS[0]] * 2, pools=[], aux=[]), "have one name"),
    "no module": ("spec", spec(blocks=[], pools=[], aux=[]), "don't fit one another"),
    "a module 2^62 wide": ("spec", nested_spec("blocks", one=1 << 62), "a module's one is a number of more than"),
    "a module 10^6 wide": ("spec", nested_spec("blocks", three=10**6), "three is 1,000,000, allowed is 1 to 8,192"),
    "a module of negative width": ("spec", nested_spec("blocks", one=-1), "a module's one is -1"),
    "a module's width in words": ("spec", nested_spec("blocks", one="8"), "a module's one is a text"),
    "a network of 10^12 MACs": ("spec", wide_spec(1, 8192, 8192), "would take .* million multiply-adds"),
    "a network of many values": ("spec", wide_spec(8192, 1, 1), "would take .* million values"),
    "a window of a million": ("spec", nested_spec("blocks", five_kernel=10**6), "five_kernel is 1,000,000"),
    "a window of 2": ("spec", nested_spec("blocks", five_kernel=2), "don't fit one another|have another shape"),
    "a module's name as a list": ("spec", nested_spec("blocks", name=["3a"]), "a module's name is a list"),
    "a stem that is a list": ("spec", spec(stem=[]), "its stem is a list"),
    "a stem with more": ("spec", nested_spec("stem", more=1), "1 fields that nobody knows"),
    "endless padding": ("spec", nested_spec("stem", conv1_padding=[10**9, 0]), "its stem's padding is 1,000,000,000"),
    "three paddings": ("spec", nested_spec("stem", conv1_padding=[1, 1, 1]), "its stem's padding has 3 entries"),
    "a normalisation of 10^9": (
        "spec",
        nested_spec("stem", lrn={"size": 10**9, "alpha": 1, "beta": 1, "k": 1}),
        "size is",
    ),
    "a normalisation that divides by 0": (
        "spec",
        nested_spec("stem", lrn={"size": 5, "alpha": 1, "beta": 1, "k": 0}),
        "k is 0",
    ),
    "a batch norm of text": ("spec", spec(batch_norm="1e-4"), "its batch norm's epsilon is a text"),
    "a batch norm of 1e999": (
        "spec",
        spec(batch_norm=1).replace('"batch_norm": 1', '"batch_norm": 1e999'),
        "too large",
    ),
    "a dropout of a list": ("spec", spec(dropout=[]), "its dropout is a list"),
    "a dropout of 2": ("spec", spec(dropout=2), "its dropout is 2"),
    "a pool of nothing": ("spec", spec(pools=[None]), "a pool is nothing"),
    "a pool behind no module": (
        "spec",
        spec(pools=[["9z", {"kernel": 3, "stride": 2}]]),
        "a pool's module is another word",
    ),
    "a pool of no window": ("spec", spec(pools=[["3b", {"kernel": 0, "stride": 2}]]), "a pool's kernel is 0"),
    "pools 1,000 times": ("spec", spec(pools=[0] * 1000), "its list of pools has 1,000 entries"),
    "an aux head behind no module": ("spec", nested_spec("aux", after="9z"), "an aux head's module is another word"),
    "an aux head of another name": ("spec", nested_spec("aux", name="main"), "an aux head's name is another word"),
    **{
        f"preprocessing that is {kind}": ("preprocessing", text, f"it is {kind}|it lacks")
        for kind, text in KINDS.items()
    },
    "a crop of a million pixels": ("preprocessing", preprocessing(size=10**6, resize=10**6), "allowed is 1 to 2,048"),
    "a crop larger than the photo": ("preprocessing", preprocessing(size=300), "size .* is 300, allowed is 1 to 240"),
    "a crop of one pixel": ("preprocessing", preprocessing(size=1), "don't fit one another on 1 x 1 pixels"),
    "a crop in words": ("preprocessing", preprocessing(size="224"), "size .* is a text"),
    "a mean of texts": ("preprocessing", preprocessing(mean=["a", "b", "c"]), "mean is a text"),
    "a mean of 1,000 colours": ("preprocessing", preprocessing(mean=[0] * 1000), "mean has 1,000 entries, at most 3"),
    "a mean of two colours": ("preprocessing", preprocessing(mean=[0, 0]), "mean has 2 numbers"),
    "a deviation of 0": ("preprocessing", preprocessing(std=[0, 1, 1]), "which nothing can be divided by"),
    "a deviation of 1e-300": ("preprocessing", preprocessing(std=[1e-300, 1, 1]), "which nothing can be divided by"),
    "a scale of 1e300": ("preprocessing", preprocessing(scale=1e300), "scale is 1e.300"),
    "other channels": ("preprocessing", preprocessing(channels="CMYK"), "channels is another word"),
    "channels that are a list": ("preprocessing", preprocessing(channels=["RGB"]), "channels is a list"),
    "a source of a million letters": (
        "source",
        "x" * 10**6,
        "the metadata's source has 1,000,000 characters, at most 4,000",
    ),
    "a card of a million letters": (
        "card",
        "x" * 10**6,
        "the metadata's card has 1,000,000 characters, at most 400,000",
    ),
    "another format": ("format", "inceptionscope-99", "unknown tensor names"),
}
READ: dict[str, dict[str, str | None]] = {
    "a crop of 2,048 pixels": {"preprocessing": preprocessing(size=2048, resize=2048)},
    "labels that act on a screen": {"labels": labels(words="\x1b[2Jcat\x00\u202e")},
    "half a character in a label": {"labels": labels(words="x").replace('"x"', '"\\ud800"')},
    "accuracy of no head": {"accuracy": "{}"},
    "accuracy with more beside it": {"accuracy": '{"main": {"top1": 0, "top5": 1, "note": [1, "x"]}}'},
    "texts that nobody asks for": {"more": "x" * 1000},
    "no source and no card": {"source": None, "card": None},
    "a card that is no Markdown": {"card": "<script>alert(1)</script>\x00\x1b[0m"},
}
FILES: dict[str, Hostile] = {
    **{name: Hostile(with_texts(**{key: text}), said) for name, (key, text, said) in REFUSED.items()},
    **{name: Hostile(with_texts(**texts), None) for name, texts in READ.items()},
}
