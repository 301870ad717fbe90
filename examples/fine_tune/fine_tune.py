#!/usr/bin/env python3
"""Fine-tunes a deployed model with dropout that `dropout-onnx insert` restored, and deploys it again.

    python fine_tune.py [--command dropout-onnx] [--quick] [--output results/]

A small network for digits is trained and exported for inference, as if only `base.onnx` were left of it. It is
fine-tuned on 200 images, with and without dropout, with correct and with noisy labels, five times each.
README.md has the figures and what they do not show.

Needs torch, onnx2torch, onnxruntime and scikit-learn (for its digits); runs a minute on two cores.
"""

import argparse
import copy
import importlib.util
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnx2torch
import onnxruntime
import torch
from sklearn.datasets import load_digits
from torch import nn

NOISE = 0.35
SAMPLES = 200


def real_dropout(module):
    try:
        from dropout_onnx.torch import real_dropout
    except ImportError:  # a checkout without the wheel
        path = Path(__file__).parents[2] / "python" / "dropout_onnx" / "torch.py"
        spec = importlib.util.spec_from_file_location("dropout_onnx_torch", path)
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        real_dropout = found.real_dropout
    return real_dropout(module)


def digits():
    """The images as they are and mirrored, with the same labels."""
    data = load_digits()
    images = (data.images / 16).astype(np.float32)
    mirrored = images[:, :, ::-1].reshape(len(images), -1).copy()
    return images.reshape(len(images), -1), mirrored, data.target


def base_model(images, labels):
    """Trained on mirrored digits: its features help with digits, but are not enough."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    train(model, x, y, 40, None)
    return model.eval()


def train(model, x, y, epochs, test):
    """Trains; the accuracy on `test` after each epoch."""
    learn, history = torch.optim.Adam(model.parameters(), lr=1e-3), []
    for _ in range(epochs):
        model.train()
        for part in torch.randperm(len(x)).split(50):
            loss = nn.functional.cross_entropy(model(x[part]), y[part])
            learn.zero_grad()
            loss.backward()
            learn.step()
        if test is not None:
            history.append(accuracy(model, *test))
    return history


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def export(model, path, training=False):
    mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    more = {"dynamo": False} if torch.__version__ >= "2.5" else {}
    torch.onnx.export(
        model, (torch.zeros(2, 64),), path, training=mode, do_constant_folding=not training,
        input_names=["x"], output_names=["scores"], dynamic_axes={"x": {0: "n"}, "scores": {0: "n"}},
        opset_version=13, **more,
    )  # fmt: skip


def split(images, labels, noise, seed):
    """200 images to learn from, with some wrong labels, and the rest with correct ones."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(images))
    mine, rest = order[:SAMPLES], order[SAMPLES:]
    y = labels[mine].copy()
    wrong = random.random(SAMPLES) < noise
    y[wrong] = (y[wrong] + random.integers(1, 10, wrong.sum())) % 10
    both = [(images[mine], y), (images[rest], labels[rest])]
    return [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in both]


def tuned(path, images, labels, noise, seed, epochs):
    """A model from a file, fine-tuned, and its accuracy after each epoch."""
    learn, test = split(images, labels, noise, seed)
    model = real_dropout(onnx2torch.convert(str(path)))
    torch.manual_seed(seed)
    return model, train(model, *learn, epochs, test), test


def auroc(score, wrong):
    """The probability that a wrong answer has a higher score than a right one."""
    ranks = np.empty(len(score))
    ranks[np.argsort(score)] = np.arange(1, len(score) + 1)
    count = wrong.sum()
    return float((ranks[wrong].sum() - count * (count + 1) / 2) / (count * (len(score) - count)))


class Tool:
    def __init__(self, command):
        self.command = command

    def __call__(self, *arguments, status=0):
        line = [self.command, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == status, (line, done.returncode, done.stdout + done.stderr)
        return done.stdout


def deploy(tool, folder, model, test):
    """From a trained model to a file for inference, with every step checked."""
    x, y = (part.numpy() for part in test)
    np.save(folder / "x.npy", x)
    np.save(folder / "labels.npy", y)
    trained, deployed = folder / "trained.onnx", folder / "deployed.onnx"
    export(model, trained, training=True)
    audit = json.loads(tool("audit", trained, "--format", "json", status=1))["models"][0]
    assert audit["verdict"] == "active" and [site["rate"] for site in audit["sites"]] == [0.5, 0.5]
    data = f"x={folder / 'x.npy'}"
    tool("strip", trained, deployed, "--force", "--input", data)
    tool("verify", trained, deployed, "--input", data)
    told = tool("verify", folder / "base.onnx", deployed, "--input", data, status=1)
    assert "same architecture, 6 weights differ" in told, told
    (scores,) = onnxruntime.InferenceSession(str(deployed)).run(None, {"x": x})
    model.eval()
    with torch.no_grad():
        assert np.allclose(scores, model(test[0]).numpy(), atol=1e-4), "ONNX Runtime computes something else"
    options = ("--input", data, "--labels", folder / "labels.npy", "--classes", "scores=logits")
    sampled = json.loads(tool("sample", trained, *options, "--runs", 50, "--format", "json"))
    classes = sampled["samplings"][0]["outputs"][0]["classes"]
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    wrong = scores.argmax(1) != y
    one = -(p * np.log(p + 1e-12)).sum(1)
    return {
        "accuracy in ONNX Runtime": float((~wrong).mean()),
        "accuracy of Monte Carlo dropout": classes["accuracy"],
        "wrong answers found by the entropy of Monte Carlo dropout (AUROC)": auroc(
            np.array(classes["entropy"]), wrong
        ),
        "wrong answers found by the entropy of one softmax (AUROC)": auroc(one, wrong),
    }


def picture(runs, path):
    """Mean accuracy by epoch, and one standard deviation around it, as SVG."""
    colours = {"without dropout": "#d55e00", "with dropout": "#2a88c8"}
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="760" height="300" font-family="sans-serif" '
           'font-size="13" fill="#808080"><title>Accuracy while fine-tuning, with and without dropout</title>']  # fmt: skip
    for panel, (title, kinds) in enumerate(runs.items()):
        left, top, width, height = 50 + 370 * panel, 40, 300, 200
        epochs = len(next(iter(kinds.values()))[0])
        at = lambda epoch, share: f"{left + width * epoch / (epochs - 1):.1f},{top + height * (1 - (share - 0.4) / 0.6):.1f}"
        out.append(f'<text x="{left}" y="24" font-size="15">{title}</text>')
        for share in (0.4, 0.6, 0.8, 1.0):
            y = at(0, share).split(",")[1]
            out.append(f'<path d="M{left} {y}h{width}" stroke="#808080" stroke-opacity="0.25"/>')
            out.append(f'<text x="{left - 8}" y="{float(y) + 4}" text-anchor="end">{share:.0%}</text>')
        for row, (kind, histories) in enumerate(kinds.items()):
            mean, std = np.mean(histories, 0), np.std(histories, 0)
            upper = [at(e, v) for e, v in enumerate(mean + std)]
            lower = [at(e, v) for e, v in enumerate(mean - std)]
            band, line = " ".join(upper + lower[::-1]), " ".join(at(e, v) for e, v in enumerate(mean))
            out.append(f'<polygon points="{band}" fill="{colours[kind]}" fill-opacity="0.2"/>')
            out.append(f'<polyline points="{line}" fill="none" stroke="{colours[kind]}" stroke-width="2"/>')
            out.append(f'<text x="{left + 160}" y="{top + height - 30 + 18 * row}" fill="{colours[kind]}">{kind}</text>')
        out.append(f'<text x="{left + width / 2}" y="{top + height + 30}" text-anchor="middle">epoch, of {epochs}</text>')
    path.write_text("\n".join([*out, "</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default=shutil.which("dropout-onnx"), help="the command dropout-onnx")
    parser.add_argument("--quick", action="store_true", help="two short runs of each kind, for a test")
    parser.add_argument("--output", type=Path, default=Path("results"))
    args = parser.parse_args()
    tool, folder = Tool(args.command), args.output
    folder.mkdir(parents=True, exist_ok=True)
    seeds, epochs = (range(2), 40) if args.quick else (range(5), 200)

    images, mirrored, labels = digits()
    export(base_model(mirrored, labels), folder / "base.onnx")
    tool("insert", folder / "base.onnx", folder / "trainable.onnx", "--preset", "head=0.5", "--force")
    dropouts = [n for n in onnx.load(folder / "trainable.onnx").graph.node if n.op_type == "Dropout"]
    assert len(dropouts) == 2, "a dropout before each dense layer after the first"

    files = {"without dropout": "base.onnx", "with dropout": "trainable.onnx"}
    runs, table, best = {}, [], None
    for title, noise in (("correct labels", 0.0), (f"{NOISE:.0%} wrong labels", NOISE)):
        runs[title] = {}
        for kind, file in files.items():
            done = [tuned(folder / file, images, labels, noise, seed, epochs) for seed in seeds]
            histories = np.array([history for _, history, _ in done])
            runs[title][kind] = histories
            table.append((title, kind, histories[:, -1], histories.max(1)))
            if noise and kind == "with dropout":
                best = done[0]
    model, _, test = best
    results = deploy(tool, folder, copy.deepcopy(model), test)
    picture(runs, folder / "accuracy.svg")

    versions = f"torch {torch.__version__}, onnx2torch {version('onnx2torch')}"
    print(f"{versions}, ONNX Runtime {onnxruntime.__version__}; {len(seeds)} seeds, {epochs} epochs\n")
    print("| labels | fine-tuned | accuracy at the end | at the best epoch |")
    print("|---|---|---|---|")
    percent = lambda values: f"{100 * values.mean():.1f} ± {100 * values.std():.1f} %"
    for title, kind, last, top in table:
        print(f"| {title} | {kind} | {percent(last)} | {percent(top)} |")
    print()
    for what, value in results.items():
        print(f"- {what}: {value:.3f}")


if __name__ == "__main__":
    sys.exit(main())
