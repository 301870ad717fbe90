#!/usr/bin/env python3
"""Checks what people read for phrases that a native speaker would not write.

    .ci/words.py                 lists them, and fails if there are any
    .ci/words.py --self-test     shows that each phrase is found, and that plain English is not

Checked are Markdown (but for code), doc comments and string literals in `src` and `python`, names of
tests, and the manifests of the action and the hooks. Ordinary comments and identifiers are not.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

from words_list import FINE, PHRASES

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = [(re.compile(rf"\b(?:{phrase})", re.IGNORECASE), use) for phrase, use in PHRASES]

# Comments, strings and characters of Rust, in the order in which a lexer tries them.
RUST = re.compile(
    r"""(?P<doc>//[/!][^\n]*)|//[^\n]*|/\*.*?\*/"""
    r"""|r(?P<hash>\#*)"(?P<raw>.*?)"(?P=hash)|"(?P<string>(?:\\.|[^"\\])*)"|'(?:\\.|[^'\\\n])'"""
    r"""|\#\[test\](?:\s*\#\[[^\]]*\])*\s*fn\s+(?P<name>\w+)""",
    re.DOTALL,
)
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)


def blank(match):
    """Nothing but the lines of it, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group())


def without_code(markdown):
    """Markdown without fenced blocks, inline code, addresses and HTML comments."""
    text = FENCE.sub(blank, markdown)
    text = re.sub(r"<!--.*?-->", blank, text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)\s]*\)|https?://\S+", lambda m: "x" + blank(m)[1:], text)


def of_markdown(text):
    yield 1, without_code(text)


def of_rust(text, names_only):
    documented, begun = [], 0
    for match in RUST.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["name"] and names_only:
            yield line, match["name"].replace("_", " ")
        if names_only:
            continue
        if match["doc"]:
            if line != begun + len(documented):
                yield begun, without_code("\n".join(documented))
                documented, begun = [], line
            documented.append(match["doc"][3:])
        string = match["string"] if match["string"] is not None else match["raw"]
        if string:
            yield line, without_code(re.sub(r"\\\n\s*", "\n", string))
    yield begun, without_code("\n".join(documented))


def of_python(text, names_only):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not names_only:
            yield node.lineno, without_code(node.value)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")


def readable(path, text):
    """What people read of a file, piece by piece, with the line that each begins in."""
    names_only = path.startswith("tests/") or "/tests/" in path
    if path.endswith(".md"):
        return of_markdown(text)
    if path.endswith(".rs"):
        return of_rust(text, names_only)
    if path.endswith((".py", ".pyi")):
        return of_python(text, names_only)
    return [(1, text)]


def phrases(path, text):
    """(line, phrase, what to write) for each phrase of a file."""
    found = []
    for begins, piece in readable(path, text):
        fine = [m.span() for m in FINE.finditer(piece)]
        for pattern, use in PATTERNS:
            for match in pattern.finditer(piece):
                if any(begin <= match.start() < end for begin, end in fine):
                    continue
                line = begins + piece.count("\n", 0, match.start())
                found.append((line, " ".join(match.group().split()), use))
    return sorted(found)


def checked_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    kinds = (".md", ".rs", ".py", ".pyi")
    rooms = ("src/", "tests/", "docs/", "python/", "benches/", "fixtures/", "examples/", "fuzz/")
    for path in listed:
        of_a_room = path.startswith(rooms) or "/" not in path
        manifest = path in ("action.yml", ".pre-commit-hooks.yaml")
        wanted = of_a_room and path.endswith(kinds) and not path.startswith("fixtures/scripts/")
        if (wanted or manifest) and (ROOT / path).is_file():
            yield path


def self_test():
    for sentence, count in [
        ("The mask stands behind the scale.", 2),
        ("Nobody tells how so many were taken down.", 4),
        ("The mask is applied after the scale.", 0),
        ("It holds a line a finding", 1),
        ("one line per finding", 0),
        ("ONNX says that the mask is all true.", 0),
    ]:
        twins = {
            "README.md": sentence,
            "src/a.rs": f'/// {sentence}\nfn told() {{ "told us"; }}',
            "src/b.rs": f'let c = \'"\'; let s = "{sentence}"; // behind',
            "python/a.py": f"def f():\n    '''{sentence}'''\n",
            "tests/a.rs": "fn behind() {}\n#[test]\n"
            + f"fn {re.sub('[^a-z]+', '_', sentence.lower())}() {{ \"behind\" }}",
        }
        for path, text in twins.items():
            more = 1 if path == "src/a.rs" else 0
            found = phrases(path, text)
            assert len(found) == count + more, (path, text, found)
    for hidden in ("`behind`", "```\nbehind\n```", "[a](behind.md)"):
        assert not phrases("README.md", hidden), hidden
    assert [line for line, *_ in phrases("README.md", "a\n```\nb\n```\nbehind")] == [5]
    assert [line for line, *_ in phrases("src/a.rs", "/// a\n/// behind\nfn a() {}")] == [2]
    for pattern, _ in PATTERNS:
        assert not pattern.search("Remove dropout from ONNX models and verify the result.")
    print("self-test passed")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    total = 0
    for path in checked_files():
        for line, phrase, use in phrases(path, (ROOT / path).read_text(encoding="utf-8")):
            print(f"{path}:{line}: `{phrase}`: write {use}")
            total += 1
    print(f"{total} phrases")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
