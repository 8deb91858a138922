"""onnxruntime can report to its maker; an instrument must not phone home.

A fresh process with an empty home folder loads the shipped bundle and predicts. Watched are every
Python-level socket (an audit hook), every socket that the process holds, natively made ones
included, while it works (its file descriptors, polled by a thread), and the home folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CHILD = """
import json, os, sys, threading
from pathlib import Path

heard, seen, done = [], set(), threading.Event()
sys.addaudithook(lambda name, _: heard.append(name) if name.startswith("socket.") else None)

def sockets():
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found

inherited = sockets()

def watch():
    while not done.wait(0.002):
        seen.update(sockets() - inherited)

watcher = threading.Thread(target=watch)
watcher.start()
if "talk" in sys.argv:
    # Native code that opens a socket without Python's knowledge.
    import ctypes
    ctypes.CDLL(None).socket(2, 2, 0)
if "ask" in sys.argv:
    import socket
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError:
        pass
import numpy as np
from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import load_model
model = load_model(read_bundle(shipped_bundle()))
for _ in range(20):
    model.infer(np.zeros(model.product.grid.points))
# What a library would send it sends late, or at its end.
done.wait(1.0)
done.set()
watcher.join()
seen.update(sockets() - inherited)
off = os.environ.get("ORT_DISABLE_TELEMETRY")
print(json.dumps({"heard": heard, "sockets": sorted(seen), "off": off}))
"""


def run(tmp_path, *arguments):
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORT_", "XDG_", "COV", "DO_NOT_TRACK"))
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**environment, "HOME": str(home), "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    return json.loads(done.stdout), written


def test_loading_and_predicting_writes_nothing_and_opens_no_socket(tmp_path):
    report, written = run(tmp_path)
    assert report == {"heard": [], "sockets": [], "off": "1"}
    assert written == ["home"]


@pytest.mark.parametrize(("argument", "field"), [("talk", "sockets"), ("ask", "heard")])
def test_a_socket_would_have_been_noticed(tmp_path, argument, field):
    report, _ = run(tmp_path, argument)
    assert report[field]
