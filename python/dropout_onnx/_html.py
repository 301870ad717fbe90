"""HTML for notebooks."""

from __future__ import annotations

from html import escape
from typing import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; empty without rows."""
    if not rows:
        return ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def title(text: str) -> str:
    """A line above a table."""
    return f"<p><b>{escape(text)}</b></p>"


def pre(text: str) -> str:
    """Preformatted text."""
    return f"<pre>{escape(text)}</pre>"
