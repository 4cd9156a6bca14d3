"""All markup of the app: Jinja2 templates in which every value is escaped.

What `render` returns is `Markup`: put into another template it stays as it is, any other text is escaped. Labels and
cards come from checkpoint files that somebody else wrote, so no text reaches a page without passing through here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.static import style
from inception_model.drawing.numbers import amount, number, percent, short, signed, signed_number
from inception_model.drawing.palette import BRANCH_NAMES

_MARKDOWN = re.compile(r"([\\`*\[\]<$~])")

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def style_tag(name: str) -> Markup:
    """The style sheet app/static/`name`.css as an element, for markup that stands alone or in a shadow root."""
    return Markup("<style>\n{}</style>").format(Markup(style(name)))


_ENVIRONMENT.globals |= {"style": style_tag, "branch_names": BRANCH_NAMES}
_ENVIRONMENT.filters |= {
    "amount": amount,
    "number": number,
    "percent": percent,
    "short": short,
    "signed": signed,
    "signed_number": signed_number,
    "share": lambda value, digits=2: f"{value:.{digits}%}",  # for CSS, which knows no rounding for people
}


def render(name: str, **values: Any) -> Markup:
    """The template app/templates/`name` with these values; raises UndefinedError where it asks for others."""
    return Markup(_ENVIRONMENT.get_template(name).render(**values))


def macro(name: str, part: str) -> Any:
    """One macro of a template, to be called with its arguments; what it returns is Markup."""
    return getattr(_ENVIRONMENT.get_template(name).module, part)


def as_text(text: str) -> str:
    """Text from outside for a place that reads Markdown (`st.warning`, `st.caption`): nothing in it is interpreted."""
    return _MARKDOWN.sub(r"\\\1", text)
