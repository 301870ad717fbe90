"""Long calls: the GIL, progress, Ctrl-C and threads."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import FIXTURES

import dropout_onnx as do

NAME = str(FIXTURES / "torch_course_preserve_op17.onnx")
COUNT = 200_000


def test_other_threads_continue_during_a_call():
    """A thread of Python counts while another samples: it could not if the GIL were held."""
    counted = []
    started, over = threading.Event(), threading.Event()

    def count():
        n = 0
        started.set()
        while not over.is_set():
            n += 1
        counted.append(n)

    thread = threading.Thread(target=count)
    thread.start()
    started.wait()
    samples_at = []

    def progress(step, done, total):
        samples_at.append((step, done, total))

    do.sample(NAME, runs=2000)
    over.set()
    thread.join()
    assert counted[0] > 1000, "the other thread stood still"


def test_calls_overlap():
    """Eight audits at once: some begin before others end. Every call says when, by its progress."""
    barrier = threading.Barrier(2, timeout=60)

    def meet(step, done, total):
        # both are in the middle of their calls, or neither gets past this
        if step == "auditing":
            barrier.wait()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: do.audit(NAME, progress=meet), range(8)))
    assert {report.verdict for report in found} == {"active"}
    # the twin: alone, a call waits in vain
    lonely = threading.Barrier(2, timeout=0.2)
    with pytest.raises(threading.BrokenBarrierError):
        do.audit(NAME, progress=lambda *_: lonely.wait())


def test_results_of_threads_are_those_of_one_after_the_other():
    names = sorted(FIXTURES.glob("*.onnx"))
    alone = [do.audit(name).to_dict() for name in names]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda name: do.audit(name).to_dict(), names)) == alone


def steps(call):
    told = []
    call(lambda step, done, total: told.append((step, done, total)))
    return told


def test_progress(tmp_path):
    told = steps(lambda tell: do.strip(NAME, out=tmp_path / "out.onnx", progress=tell))
    assert told == [
        ("reading", 0, 4),
        ("rewriting", 1, 4),
        ("verifying", 2, 4),
        ("writing", 3, 4),
        ("done", 4, 4),
    ]
    told = steps(lambda tell: do.sample(NAME, runs=5, rates=[0.1, 0.2], progress=tell))
    assert told == [("sampling", run, 10) for run in range(10)] + [("done", 10, 10)]
    told = steps(lambda tell: do.audit(NAME, NAME, progress=tell))
    assert told == [("auditing", 0, 2), ("auditing", 1, 2), ("done", 2, 2)]
    assert steps(lambda tell: do.verify(NAME, NAME, progress=tell))[-1] == ("done", 2, 2)
    assert steps(lambda tell: do.diff(NAME, NAME, progress=tell))[-1] == ("done", 2, 2)


class Enough(Exception):
    pass


def test_what_progress_raises_ends_the_call(tmp_path):
    def tell(step, done, total):
        if step == "verifying":
            raise Enough

    with pytest.raises(Enough):
        do.strip(NAME, out=tmp_path / "out.onnx", progress=tell)
    assert os.listdir(tmp_path) == []


# A shell that starts jobs in the background has them ignore SIGINT, and Python leaves that as it is.
SCRIPT = """
import signal, sys, time
import dropout_onnx as do
signal.signal(signal.SIGINT, signal.default_int_handler)
def tell(step, done, total):
    if done == 10:
        print("going on", flush=True)
before = time.monotonic()
try:
    do.sample(sys.argv[1], runs=100_000_000, progress=tell)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    # all is as it was
    print(do.audit(sys.argv[1]).verdict, flush=True)
    sys.exit(7)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are otherwise there")
def test_ctrl_c_ends_a_long_call():
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, NAME], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "going on\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert (out, child.returncode) == ("interrupted\nactive\n", 7)


WITHOUT_PROGRESS = """
import os, signal, sys, threading, time
import dropout_onnx as do
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    do.strip(sys.argv[1], out=sys.argv[2], runs=100_000_000)
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are otherwise there")
def test_ctrl_c_ends_a_verification_and_nothing_is_written(tmp_path):
    arguments = [sys.executable, "-c", WITHOUT_PROGRESS, NAME, tmp_path / "out.onnx"]
    assert subprocess.run(arguments, timeout=60).returncode == 7
    assert os.listdir(tmp_path) == []


def test_numpy_is_not_imported_before_it_is_needed():
    script = "import dropout_onnx, sys; sys.exit('numpy' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
