"""HTML for notebooks, for light and dark themes."""

from __future__ import annotations

from html import escape
from typing import Sequence

_COLOURS = {
    **dict.fromkeys(["active", "error", "different"], "#b42318"),
    **dict.fromkeys(["random", "unknown", "training", "runtime", "frozen"], "#9a5b00"),
    **dict.fromkeys(["warning", "not_shown"], "#9a5b00"),
    **dict.fromkeys(["inert", "clean", "equal", "same_model", "identical_bytes"], "#1a7f37"),
}
"""The background of a word; its text is white. Other words have none."""

# notebooks align the cells of tables to the right, unless each of them says otherwise
_LEFT = ' style="text-align:left"'
_LONG = ' style="text-align:left;overflow-wrap:anywhere"'


def chip(word: str) -> str:
    """A verdict, mode or level, coloured by how bad it is."""
    colour = _COLOURS.get(word)
    if colour is None:
        return escape(word)
    style = f"background:{colour};color:#fff;border-radius:3px;padding:0 5px"
    return f'<span style="{style}">{escape(word)}</span>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column may be coloured, without columns that have no text; empty without rows."""
    if not rows:
        return ""
    shown = [column for column in range(len(rows[0])) if any(row[column] for row in rows)]
    top = "".join(f"<th{_LEFT}>{escape(head[column])}</th>" for column in shown if head)
    cells = ("".join(_cell(row[column], column) for column in shown) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, column: int) -> str:
    style = _LONG if len(text) > 32 else _LEFT
    return f"<td{style}>{escape(text) if column else chip(text)}</td>"


def title(text: str, word: str | None = None) -> str:
    """A line above a table, with a coloured word after it."""
    return f"<p><b>{escape(text)}</b>{' ' + chip(word) if word else ''}</p>"


def pre(text: str) -> str:
    """Preformatted text."""
    return f"<pre>{escape(text)}</pre>"
