"""The model card of a checkpoint: Markdown from somebody else's file, in which nothing links or loads."""

from __future__ import annotations

import re

from app.templates import unlinked

# Possessive, so that a hostile card costs no more than its length.
_IMAGE = re.compile(r"!\[([^\[\]]*+)\](?:\([^()]*+\)|\[[^\[\]]*+\])")
_LINK = re.compile(r"(?<!\\)\[([^\[\]]*+)\]\(\s*+<?([^()<>\s]*+)>?[^()]*+\)")
_OPENS = re.compile(r"\\[\\\[<&]|[\[<]|&(?=#?\w)")


def without_links(markdown: str) -> str:
    """The card with images as their alt text and links as their text and address; nothing in it can be clicked.

    What is left cannot become a link or an image: every `[` and `<` is escaped (links, images, footnotes, autolinks and
    Streamlit's directives need one), so are entities, which could spell an address, and bare addresses are broken.
    """
    text = _LINK.sub(_in_words, _IMAGE.sub(r"\1", markdown))
    text = _OPENS.sub(lambda found: found[0] if found[0].startswith("\\") else f"\\{found[0]}", text)
    return unlinked(text)


def _in_words(link: re.Match[str]) -> str:
    words, address = link.groups()
    return words if address in ("", words) else f"{words} ({address})"
