"""Recorded answers of dropout-onnx: right ones, which every check accepts, and wrong ones, each of which one
check has to reject.

    recorded/strip.jsonl   for each model the right answers to all commands, then wrong ones: the check that
                           rejects it, and what is different
    recorded/verify.jsonl  for each fixture a right result of strip, and wrong ones that `verify` must reject
    recorded/reports/      the reports of an audit, which WRONG_REPORTS makes wrong

Models are written in pieces of the original: [position, length], or bytes in hexadecimal digits.
"""

import json
import re
from pathlib import Path

from .tool import Said

ROOT = Path(__file__).resolve().parent / "recorded"
FORMATS = ("json", "jsonl", "sarif", "github", "junit", "concise")
# The files that the reports are about, by the fixture that each is a copy of.
REPORTED = {"100%.onnx": "torch_mask_output_op13.onnx", "lost.onnx": "keras_mc_lost_ratio_op12.onnx"}

# (name, format, pattern, replacement): the first match is replaced
WRONG_REPORTS = [
    ("json with a field that the schema does not describe", "json", r'"verdict"', '"more": 1, "verdict"'),
    ("json without one of the models", "json", r"\n    \{.*?\n    \},", ""),
    ("jsonl without one of the models", "jsonl", r"^.*?\n", ""),
    ("sarif without its version", "sarif", r'"version": "2.1.0",', ""),
    ("sarif with an unknown level", "sarif", r'(?<=\n          )"level": "\w+"', '"level": "serious"'),
    ("sarif with a rule that is not described", "sarif", r'"ruleId": "[a-z-]+"', '"ruleId": "b-rule"'),
    ("sarif with an absolute path", "sarif", r'"uri": "models', '"uri": "file:///models'),
    ("sarif without one of the results", "sarif", r'(?<="results": \[)\n        \{.*?\n        \},', ""),
    ("sarif with the same fingerprint twice", "sarif", "ecf9b271289930e8:1", "b505a650f24d0ba9:1"),
    ("sarif without fingerprints", "sarif", r'"primaryLocationLineHash": ".*?"', ""),
    ("github with a percent sign that is not escaped", "github", "%25", "%"),
    ("junit with a wrong count", "junit", r'tests="\d+"', 'tests="99"'),
    ("junit that is not XML", "junit", r">\s*$", ""),
    ("concise without one of the lines", "concise", r"^.*?\n", ""),
]


def lines(name):
    return [json.loads(line) for line in (ROOT / name).read_text().splitlines()]


def joined(pieces, original):
    """The bytes that pieces of the original stand for."""
    return b"".join(
        bytes.fromhex(piece) if isinstance(piece, str) else original[piece[0] : piece[0] + piece[1]]
        for piece in pieces
    )


class Strip:
    """Answers about one model: right ones, but for what is recorded as wrong."""

    def __init__(self, original, right, wrong):
        self.original, self.answers, self.stripped = original, {**right, **wrong}, 0

    def said(self, command, otherwise):
        return Said(*self.answers.get(command, (0, otherwise, "")))

    def strip(self, before, out):
        self.stripped += 1
        again = self.stripped > 1 and "again" in self.answers
        pieces = self.answers["again" if again else "after"]
        if pieces is not None:
            Path(out).write_bytes(joined(pieces, self.original))
        if self.answers.get("touches") and self.stripped == 1:
            Path(before).write_bytes(self.original + b"\0")
        return self.said("strip", "stripped\n")

    def verify(self, before, after):
        return self.said("verify", "equal\n")

    def audit(self, path):
        document = self.answers["audit"]
        return Said(0, json.dumps(document) if document else "", "")


class Reports:
    """Reports of the folder of REPORTED; `change` is one of WRONG_REPORTS."""

    def __init__(self, change=None, moved=False):
        self.change, self.moved, self.asked = change, moved, 0

    def report(self, form, folder):
        text = (ROOT / "reports" / form).read_text()
        if self.change and self.change[1] == form:
            text, changes = re.subn(*self.change[2:], text, count=1, flags=re.DOTALL)
            assert changes, self.change
        if form == "sarif" and self.moved:  # another fingerprint each time
            self.asked += 1
            text = text.replace('"primaryLocationLineHash": "', f'"primaryLocationLineHash": "{self.asked}')
        return Said(0, text, "")


def wrong_reports():
    """(name, the format that is wrong, answers)"""
    yield from ((*change[:2], Reports(change)) for change in WRONG_REPORTS)
    yield "sarif with fingerprints of the place", "sarif", Reports(moved=True)


def reported(folder, fixtures):
    """The folder that the reports are about."""
    for name, fixture in REPORTED.items():
        (folder / name).write_bytes((fixtures / fixture).read_bytes())
    return folder

