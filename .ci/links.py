#!/usr/bin/env python3
"""Checks links within the built book and within Markdown files. Addresses on the web are not opened.

    mdbook build docs && .ci/links.py target/book
    .ci/links.py --self-test
"""

import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
# Links of these pages start at the root of the site or repeat those of all other pages.
GENERATED = {"404.html", "print.html", "toc.html"}


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def broken_in_book(book):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in book.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links if path.name not in GENERATED else ():
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else {"", parts.fragment}
            if not target.is_file() or unquote(parts.fragment) not in anchors:
                yield f"{path.name}: {link}"


def broken_in_markdown(path):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        parts = urlsplit(link)
        if not parts.scheme and parts.path and not (path.parent / unquote(parts.path)).exists():
            yield f"{path.name}: {link}"


def not_in_book(docs, book):
    for path in docs.glob("*.md"):
        if path.name != "SUMMARY.md" and not (book / path.with_suffix(".html").name).is_file():
            yield f"{path.name} is not in SUMMARY.md"


def problems(book):
    markdown = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "python/README.md"]
    found = [*broken_in_book(book), *not_in_book(ROOT / "docs", book)]
    return found + [problem for path in markdown for problem in broken_in_markdown(path)]


def self_test():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "b.html").write_text('<h1 id="top">b</h1>')
        for link, count in [("b.html#top", 0), ("b.html#end", 1), ("c.html", 1), ("https://x/c", 0)]:
            (folder / "a.html").write_text(f'<a href="{link}">a</a>')
            assert len([*broken_in_book(folder)]) == count, link
            (folder / "a.md").write_text(f"[a]({link}) `[c](c.md)`")
            assert len([*broken_in_markdown(folder / "a.md")]) == (link == "c.html"), link
        (folder / "SUMMARY.md").write_text("")
        assert [*not_in_book(folder, folder)] == []
        (folder / "a.html").unlink()
        assert [*not_in_book(folder, folder)] == ["a.md is not in SUMMARY.md"]
    print("self-test passed")


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    found = problems(Path(sys.argv[1]).resolve())
    print("\n".join(found) or "all links lead somewhere")
    sys.exit(bool(found))
