"""The page: one self-contained HTML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from omnishot.core.version import VERSION
from omnishot.html.markup import text

#: The browser fetches nothing and runs no script, whatever the page contains.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """A section of the page: a title (text) and HTML whose texts are escaped."""

    title: str
    html: str


def page(title: str, headline: str, sections: Sequence[Section]) -> str:
    """A whole HTML document.

    Args:
        title: text.
        headline: HTML below the title.
    """
    style = re.sub(r"\s*\n\s*", "\n", files("omnishot.html").joinpath("style.css").read_text(encoding="utf-8"))
    parts = "".join(f"<section><h2>{text(s.title)}</h2>{s.html}</section>\n" for s in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header><p class="kicker">Omnishot {text(VERSION)}</p><h1>{text(title)}</h1>{headline}</header>
{parts}</main>
</body>
</html>
"""
