"""Small pieces of HTML; every text of the user is escaped here."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import PIL.Image

#: Pictures with fewer pixels per side are enlarged without smoothing.
PIXELATED = 64


def text(value: Any) -> str:
    """Text as HTML."""
    return escape(str(value))


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as a `data:` URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image(picture: PIL.Image.Image, alt: str) -> str:
    """A Pillow image as PNG within the page."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    pixelated = ' class="pixelated"' if max(picture.size) < PIXELATED else ""
    return (
        f'<img{pixelated} src="{data_uri(buffer.getvalue(), "image/png")}" alt="{text(alt)}" '
        f'width="{picture.width}" height="{picture.height}">'
    )


def audio(wav: bytes, label: str) -> str:
    """An audio player."""
    source = data_uri(wav, "audio/wav")
    return f'<audio controls preload="metadata" aria-label="{text(label)}" src="{source}"></audio>'


def figure(title: str, picture: str, caption: str) -> str:
    """A picture (HTML) with a title above and a caption below."""
    return f"<figure><h3>{text(title)}</h3>{picture}<figcaption>{text(caption)}</figcaption></figure>"


def note(message: str) -> str:
    """A small paragraph."""
    return f'<p class="note">{text(message)}</p>'


def facts(pairs: Mapping[str, Any]) -> str:
    """Names and values as a definition list."""
    items = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs.items())
    return f'<dl class="facts">{items}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of texts; columns whose cells all look like numbers are aligned to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    right = [bool(rows) and all(_numeric(row[i]) for row in rows) for i in range(len(head))]
    marks = ['class="number"' if r else "" for r in right]
    top = "".join(f"<th scope='col' {mark}>{text(name)}</th>" for name, mark in zip(head, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {mark}>{text(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def details(summary: str, html: str) -> str:
    """HTML that readers can unfold."""
    return f"<details><summary>{text(summary)}</summary>{html}</details>"


def _numeric(cell: str) -> bool:
    return cell == "–" or cell[:1].isdigit() or (cell[:1] in "-−" and cell[1:2].isdigit())
