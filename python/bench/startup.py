"""Start-up: of `import dropout_onnx`, and of the command that the wheel brings.

    python python/bench/startup.py [NATIVE]

NATIVE is the command as cargo built it (target/release/dropout-onnx). Prints the median and the least
of 40 runs each, one after the other in turn, so that all see the same machine.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 40


def measure(commands):
    times = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            before = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append((time.perf_counter() - before) * 1e3)
    for name, all_of in times.items():
        print(f"{name:<28} {statistics.median(all_of):7.1f} ms, at least {min(all_of):.1f} ms")
    return {name: min(all_of) for name, all_of in times.items()}


def main():
    command = str(Path(sys.executable).parent / "dropout-onnx")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import dropout_onnx'": [sys.executable, "-c", "import dropout_onnx"],
        "the wheel's command": [command, "--version"],
    }
    if sys.argv[1:]:
        commands["the native command"] = [sys.argv[1], "--version"]
    least = list(measure(commands).values())
    print(f"import dropout_onnx: {least[1] - least[0]:.1f} ms more than the interpreter (limit 50)")
    if sys.argv[1:]:
        print(f"the wheel's command: {least[2] - least[3]:+.1f} ms to the native one (limit 20)")


if __name__ == "__main__":
    main()
