"""All markup of the app: Jinja2 templates in which every value is escaped.

What `render` returns is `Markup`: put into another template it stays as it is, any other text is escaped. Labels and
cards come from checkpoint files that somebody else wrote, so no text reaches a page without passing through here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from app.static import style
from inception_model.drawing.markup import markup
from inception_model.drawing.palette import BRANCH_NAMES

_MARKDOWN = re.compile(r"([\\`*_\[\]<>$~#|!]|:(?=\S)|&(?=#?\w))")
_ADDRESS = re.compile(r"(?<=:)(?=\\?/)|(?<=www)(?=\\?\.)|(?<=@)", re.IGNORECASE)

JOINER = "\N{WORD JOINER}"
"""Invisible; an address with one in it is text."""

_ENVIRONMENT = markup(Path(__file__).parent)


def style_element(sheet: str) -> Markup:
    """A style sheet of the app's own as an element."""
    return Markup("<style>\n{}</style>").format(Markup(sheet))


def style_tag(name: str) -> Markup:
    """The style sheet app/static/`name`.css as an element, for markup that stands alone or in a shadow root."""
    return style_element(style(name))


_ENVIRONMENT.globals |= {"style": style_tag, "branch_names": BRANCH_NAMES}
# For CSS, which knows no rounding for people.
_ENVIRONMENT.filters["share"] = lambda value, digits=2: f"{value:.{digits}%}"


def render(name: str, **values: Any) -> Markup:
    """The template app/templates/`name` with these values; raises UndefinedError where it asks for others."""
    return Markup(_ENVIRONMENT.get_template(name).render(**values))


def as_text(text: str) -> str:
    """Text from outside for a place that reads Markdown (`st.warning`, `st.caption`): nothing in it is interpreted."""
    return unlinked(_MARKDOWN.sub(r"\\\1", text))


def unlinked(markdown: str) -> str:
    """Markdown in which no bare address (https://, www., mail) is a link.

    GitHub's Markdown looks for them in the finished text, where no backslash is left: a joiner breaks them that nobody
    sees.
    """
    return _ADDRESS.sub(JOINER, markdown)
