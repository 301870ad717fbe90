#!/usr/bin/env python3
"""Opens the HTML report of an audit of 1,000 models in Chromium, sorts it, filters it, and measures contrast,
in light and in dark.

    .ci/browser.py target/debug/dropout-onnx [--screenshots FOLDER]

Needs `chromium` (Debian's package). The page runs our test at its end and writes what it saw into itself."""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = 1000
MOST_BYTES = 5_000_000
MOST_MILLISECONDS = 1500

TEST = r"""
<script>
"use strict";
const seen = {};
const visible = () => [...document.querySelector("tbody").rows].filter((row) => row.offsetParent !== null);
const path = (row) => (row.cells[0].querySelector("summary") ?? row.cells[0]).textContent;
const set = (id, value) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
};
const timed = (work) => { const began = performance.now(); work(); document.body.offsetHeight; return performance.now() - began; };
seen.all = visible().length;
seen.milliseconds = timed(() => set("verdict", "active"));
seen.active = visible().length;
seen.only_active = visible().every((row) => row.dataset.verdict === "active");
set("rule", "mask-used");
seen.both = visible().length;
seen.count = document.getElementById("count").textContent;
set("verdict", ""); set("rule", ""); set("text", "m0007");
seen.text = visible().map(path);
set("text", "");
const buttons = [...document.querySelectorAll("thead button")];
seen.sort_milliseconds = timed(() => buttons[0].click());
const paths = visible().map(path);
seen.sorted = paths.every((p, i) => i === 0 || paths[i - 1].localeCompare(p) <= 0);
seen.aria = buttons[0].parentElement.getAttribute("aria-sort");
buttons[0].click();
seen.reversed = path(visible()[0]) === paths.at(-1);
buttons[2].click();
const layers = visible().map((row) => Number(row.cells[2].textContent));
seen.numbers = layers.every((n, i) => i === 0 || layers[i - 1] <= n);
seen.closed = document.querySelectorAll("details[open]").length;
dispatchEvent(new Event("beforeprint"));
seen.printed = document.querySelectorAll("details:not([open])").length;
const pictures = [...document.querySelectorAll("figure svg")];
seen.pictures = pictures.length;
// drawn, named, and no wider than they say
seen.drawn = pictures.every((picture) => {
  const [box, view] = [picture.getBBox(), picture.viewBox.baseVal];
  return box.width > 20 && box.height > 20 && box.width <= view.width && box.height <= view.height && picture.ariaLabel;
});
seen.unlabelled = [...document.querySelectorAll("input, select")].filter((c) => !c.labels.length).length;
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
    const c = part / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (element, back) => {
  const colours = [getComputedStyle(element).color, getComputedStyle(back).backgroundColor].map(luminance);
  return (Math.max(...colours) + 0.05) / (Math.min(...colours) + 0.05);
};
seen.contrast = Math.min(
  contrast(document.querySelector("td"), document.body),
  contrast(document.querySelector("output"), document.body),
  ...[...document.querySelectorAll(".chip")].map((chip) => contrast(chip, chip)),
  ...[...document.querySelectorAll("figure g")].slice(0, 200).filter((box) => box.querySelector("rect:not(.cut)")).map((box) => {
    const colours = ["text.op", "rect:not(.cut)"].map((part) => getComputedStyle(box.querySelector(part)).fill);
    return (Math.max(...colours.map(luminance)) + 0.05) / (Math.min(...colours.map(luminance)) + 0.05);
  }),
);
seen.background = getComputedStyle(document.body).backgroundColor;
const result = document.createElement("pre");
result.id = "seen";
result.textContent = JSON.stringify(seen);
document.body.append(result);
</script>
"""


def chromium(page, scheme, *options):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=1280,900"]
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120)
    return done.stdout


def problems(seen, dark):
    """What is wrong with what the page saw."""
    wanted = {
        "all": MODELS,
        "only_active": True,
        "text": ["models/m0007.onnx"],
        "sorted": True,
        "aria": "ascending",
        "reversed": True,
        "numbers": True,
        "closed": 0,
        "printed": 0,
        "unlabelled": 0,
        "drawn": True,
        "count": f"{seen['both']} of {MODELS} models",
    }
    found = [f"{key}: {seen[key]!r}, not {value!r}" for key, value in wanted.items() if seen[key] != value]
    if not 0 < seen["both"] < seen["active"] < MODELS:
        found.append(f"filters: {seen['both']}, {seen['active']}")
    if seen["pictures"] < 100:
        found.append(f"{seen['pictures']} pictures")
    for key in ["milliseconds", "sort_milliseconds"]:
        if seen[key] > MOST_MILLISECONDS:
            found.append(f"{key}: {seen[key]}")
    if seen["contrast"] < 4.5:
        found.append(f"contrast {seen['contrast']}")
    levels = [int(part) for part in re.findall(r"\d+", seen["background"])[:3]]
    if (max(levels) < 60) != dark:
        found.append(f"background {seen['background']}")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path)
    parser.add_argument("--screenshots", type=Path)
    options = parser.parse_args()
    if not shutil.which("chromium"):
        print("left out: chromium is not here")
        return 0
    fixtures = sorted((ROOT / "fixtures").glob("*.onnx"))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "models").mkdir()
        for index in range(MODELS):
            shutil.copy(fixtures[index % len(fixtures)], folder / f"models/m{index:04}.onnx")
        command = [options.binary.resolve(), "audit", "models", "--format", "html", "--exit-zero"]
        page = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
        size = len(page.encode())
        found = [f"{size} bytes"] if size > MOST_BYTES else []
        found += ["reads what is outside it"] if re.search(r"(src|href)=|url\((?!#)|import ", page) else []
        (folder / "page.html").write_text(page)
        (folder / "test.html").write_text(page.replace("</body>", TEST + "</body>"))
        for scheme, name in [(1, "light"), (0, "dark")]:
            began = time.monotonic()
            dom = chromium(folder / "test.html", scheme, "--dump-dom")
            seen = re.search(r'<pre id="seen">(.*?)</pre>', dom, re.DOTALL)
            if not seen:
                found.append(f"{name}: the test did not run: {dom[-300:]}")
                continue
            seen = json.loads(seen.group(1).replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
            print(f"{name}: {time.monotonic() - began:.1f} s, {seen}")
            found += [f"{name}: {problem}" for problem in problems(seen, name == "dark")]
            # the twin: what is wrong is seen
            assert problems({**seen, "sorted": False, "contrast": 2}, name == "dark"), "sees nothing"
            if options.screenshots:
                chromium(folder / "page.html", scheme, f"--screenshot={options.screenshots}/{name}.png")
    print(f"{size} bytes for {MODELS} models")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
