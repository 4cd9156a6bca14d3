"""The sentences of a report: plain text with real numbers, from the facts alone."""

from __future__ import annotations

from typing import Any

from ..analysis.ablation import FILLS
from ..drawing.numbers import amount, number, percent, short, signed
from ..drawing.palette import BRANCH_NAMES

Facts = dict[str, Any]


def target_words(facts: Facts) -> str:
    """The target with the first synonym of each class: `tabby`, or `tabby − lion`."""
    return " − ".join(short(part) for part in facts["settings"]["target"]["name"].split(" − "))


def title(facts: Facts, name: str | None) -> str:
    """What the report is about; without a name, of a photo that stays private."""
    return f"What {facts['network']['checkpoint']} sees in {name or 'a photo that is not shown'}"


def heads(facts: Facts) -> str:
    """What the trained heads say, where they agree, and which heads were never trained."""
    said: dict[str, list[tuple[str, str]]] = {}
    for head, found in facts["heads"].items():
        for answer in found["top"][:1]:
            said.setdefault(short(answer["label"]), []).append((head, percent(answer["probability"])))
    groups = []
    for label, who in said.items():
        names, chances = (_listed([pair[place] for pair in who]) for place in (0, 1))
        verb = "says" if len(who) == 1 else "agree on"
        groups.append(f"{'All heads' if len(said) == 1 and len(who) > 1 else names} {verb} {label} ({chances})")
    sentence = f"{'; '.join(groups)}."
    untrained = [head for head, found in facts["heads"].items() if not found["trained"]]
    if untrained:
        sentence += f" Never trained, so none of their noise is shown as a prediction: {_listed(untrained)}."
    return f"{sentence} (Paper, Figure 3 and section 5.)"


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def probabilities(facts: Facts) -> str:
    """What the probabilities are: at which temperature of each head, or plain softmax."""
    found = facts["network"]["temperatures"]
    if found:
        return "softmax at the temperature of each head: " + ", ".join(f"{h} {value:.3f}" for h, value in found.items())
    return "plain softmax" + (" (asked for)" if facts["settings"]["raw"] else "")


def timeline(facts: Facts) -> str:
    """How the followed class rises or falls with the depth."""
    line = facts["timeline"]
    steps = line["steps"]
    ranks, chances, nats = (
        " → ".join(texts)
        for texts in (
            [str(step["rank"]) for step in steps],
            [percent(step["probability"]) for step in steps],
            [f"{step['entropy']:.2f}" for step in steps],
        )
    )
    return (
        f"From head to head {short(line['label'])} is in place {ranks} of {line['classes']} with a probability of "
        f"{chances}; the entropy of all probabilities is {nats} nats, where 0 is certain. (Paper, section 5.)"
    )


def probes(facts: Facts) -> str:
    """What the linear probes read off every module, which has them."""
    line = facts["timeline"]
    places = ", ".join(f"{step['module']} {step['rank']} ({percent(step['probability'])})" for step in line["probes"])
    first, last = line["probes"][0], line["probes"][-1]
    return (
        f"Rank and probability of {short(line['label'])} by a linear probe after each module: {places}. Probes were "
        f"trained afterwards and are no part of the network; the one after {first['module']} is right for "
        f"{first['accuracy']['top1']:.1%} of the validation images, the one after {last['module']} for "
        f"{last['accuracy']['top1']:.1%}."
    )


def maps(facts: Facts) -> str:
    """What red and blue mean, and how large the score is."""
    score, settings = facts["ledger"]["score"], facts["settings"]
    return (
        f"Red speaks for {target_words(facts)} at {settings['head']} ({signed(score)} logits), blue against it; the "
        "colours end where 99% of a map's values lie. Checks say how far each map can be believed. "
        "(The heads: paper, Figure 3; each method's own paper stands below it.)"
    )


def completeness(found: Facts) -> str:
    """Whether a map's sum is what it should be."""
    if found["conservation"] is not None:
        return f"In logits: {found['conservation']['words']}"
    if found["completeness_error"] is None:
        return f"Sum of all values {signed(found['sum'])}; the method does not promise a sum."
    wanted = found["score"] - found["baseline_score"]
    path = "" if found["integration"] is None else found["integration"]["words"]
    return (
        f"Sum of all values {signed(found['sum'])}, to be {signed(wanted)} (score minus that of the baseline "
        f"{found['baseline']}): completeness error {found['completeness_error']:.2%}. {path}"
    )


def modules(facts: Facts, shown: int) -> str:
    """What the pictures of the modules hold."""
    branches = [branch for module in facts["modules"] for branch in module["branches"].values()]
    channels, dead = (sum(branch[key] for branch in branches) for key in ("channels", "dead"))
    return (
        f"For every branch its {shown} strongest channels by mean, strongest first, drawn from black at zero to the "
        f"module's largest value. Of {channels:,} channels {dead:,} are zero everywhere on this photo. "
        "(Paper, Figure 2(b) and Table 1.)"
    )


def ledger(facts: Facts) -> str:
    """What every row adds up to, the worst residual, and who earned most."""
    found = facts["ledger"]
    flat = [(value, row["module"], kind) for row in found["modules"] for kind, value in row["branches"].items()]
    most, least = max(flat), min(flat)
    worst = max(abs(row["residual"]) for row in found["modules"])
    return (
        f"Every row adds up to {signed(found['total'])} logits, from {signed(found['baseline_score'])} at the baseline "
        f"{found['baseline']} to {signed(found['score'])} on the photo, but for a residual of at most {worst:.3f}. "
        f"{found['steps_words']} Most was earned by {most[1]} {BRANCH_NAMES[most[2]]} ({signed(most[0])}), "
        f"least by {least[1]} {BRANCH_NAMES[least[2]]} ({signed(least[0])}). "
        "(Conductance, Dhamdhere et al. 2018; the modules: paper, Figure 3.)"
    )


def exact(facts: Facts) -> str:
    """The exact sum at the last module, for the main head."""
    split, last = facts["ledger"]["exact"], facts["modules"][-1]["module"]
    parts = " ".join(f"{signed(value)} ({BRANCH_NAMES[kind]})" for kind, value in split["branches"].items())
    return (
        f"Without a baseline, exactly: after {last} only an average and a linear layer follow, so {parts} "
        f"{signed(split['bias'])} (bias) = {signed(split['score'])}; rounding leaves {abs(split['residual']):.0e}. "
        "(Paper, Table 1.)"
    )


def ablation(facts: Facts) -> str:
    """The branch that the score needs most, and the one that holds it back."""
    found, head = facts["ablation"], facts["settings"]["head"]
    seen = [module["module"] for module in facts["modules"]]
    seen = seen[: seen.index(facts["heads"][head]["after"]) + 1]  # a head can't need what lies behind it
    rows = [row for row in found["heads"][head] if row["module"] in seen]
    flat = [(value, row["module"], kind) for row in rows for kind, value in row["branches"].items()]
    need, spare = min(flat), max(flat)
    to = FILLS[found["fill"]].of_channels()
    return (
        f"Each of the {len(flat)} branches is set to {to} in turn, all others stay. {head} needs {need[1]} "
        f"{BRANCH_NAMES[need[2]]} most: without it the score of {target_words(facts)} changes by {signed(need[0])} "
        f"logits; without {spare[1]} {BRANCH_NAMES[spare[2]]} by {signed(spare[0])}. A head in front of a module does "
        "not see it. (Paper, Figures 2(b) and 3.)"
    )


def compute(facts: Facts) -> str:
    """What the reductions save over the whole network."""
    total = facts["compute"]["total"]
    return (
        f"One {facts['compute']['size']} × {facts['compute']['size']} image takes {amount(total['macs'])} "
        f"multiply-accumulates instead of {amount(total['macs_naive'])} without the 1×1 reductions "
        f"({total['macs_naive'] / total['macs']:.1f} times as many), and {amount(total['params'])} parameters instead "
        f"of {amount(total['params_naive'])}; the paper's budget is {amount(facts['compute']['paper_budget_macs'])}. "
        "(Paper, sections 1 and 4, Table 1.)"
    )


def again(facts: Facts) -> str:
    """What makes the report again, and what it holds of the photo."""
    name = facts["image"]["name"]
    photo = (
        f"Run it where {name} lies (a sample photo goes by its name)."
        if name is not None
        else "The photo, its name and its colours are not in this file. Its maps and activations are, and the finest "
        "of them can trace its outlines; its hash is, so that whoever has the photo can make the report again."
    )
    return f"The same command with the same checkpoint and versions gives the same numbers. {photo}"


def map_title(found: Facts) -> str:
    """A method and where it looks."""
    return f"{found['label']} at {found['layer']}" if found["layer"] else str(found["label"])


def map_alt(found: Facts, shown: bool) -> str:
    """What the picture of a map shows."""
    where = "on the photo" if shown else "alone, without the photo"
    return (
        f"{map_title(found)}: signed map {where}, {found['share_for']:.0%} of it speaks for the target, "
        f"{found['share_against']:.0%} against; largest value {number(found['largest'])}"
    )
