"""dropout-onnx as a program: run it, keep what it said."""

import subprocess
from dataclasses import dataclass


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def text(self):
        return (self.out + self.err).strip()

    @property
    def last_line(self):
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else "(nothing said)"

    @property
    def crashed(self):
        signs = ("panicked at", "RUST_BACKTRACE", "has overflowed its stack")
        return self.code not in (0, 1, 2) or any(sign in self.out + self.err for sign in signs)


class Tool:
    def __init__(self, binary, seconds=300):
        self.binary, self.seconds = str(binary), seconds

    def run(self, *arguments, folder=None):
        try:
            done = subprocess.run(
                [self.binary, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=folder,
                timeout=self.seconds,
            )
        except subprocess.TimeoutExpired:
            return Said(-1, "", f"no answer in {self.seconds} s")
        return Said(done.returncode, *(s.decode(errors="replace") for s in (done.stdout, done.stderr)))

    def strip(self, before, after):
        return self.run("strip", before, after, "--force")

    def verify(self, before, after):
        return self.run("verify", before, after)

    def audit(self, path):
        return self.run("audit", "--format", "json", path)

    def report(self, form, folder):
        """A folder's audit, as if called beside it."""
        return self.run("audit", "--exit-zero", "--format", form, folder.name, folder=folder.parent)

    def formats(self):
        """The formats `audit` has, of those the judges know."""
        words = self.run("audit", "--help").text.replace(",", " ").replace(":", " ").split()
        return [f for f in ("json", "jsonl", "sarif", "github", "junit", "concise") if f in words]
