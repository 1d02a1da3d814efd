"""Reading a report as a browser would."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

#: A class name, a text cell and a file name that would run or fetch something if they were not escaped.
CLASS, WORDS = '<script>alert("class")</script>', '"><img src=x onerror="alert(1)"> & cup'
VOID = ("meta", "br", "img", "input", "link", "hr")


@dataclass
class Element:
    """A tag with its attributes."""

    tag: str
    attributes: dict[str, str | None]


@dataclass
class Page(HTMLParser):
    """The elements and the text of an HTML document; fails where tags are not nested."""

    source: str
    elements: list[Element] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)
        self.feed(self.source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]
