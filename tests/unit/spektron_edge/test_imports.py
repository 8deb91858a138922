"""What the runtime may load: nothing slow before it runs, and never the training stack."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SLOW = ("scipy.signal", "scipy.stats", "scipy.optimize", "scipy.interpolate", "torch", "onnx")
SLOW += ("matplotlib", "sklearn", "amqtt", "rich")
# Of a GPU; none is asked for.
SLOW += ("tensorrt", "spektron_edge.inference.cuda", "spektron_edge.inference.onnx_gpu")


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_daemon_s_start_path_loads_nothing_slow(tmp_path, tiny_bundle):
    path = tmp_path / "edge.toml"
    path.write_text(
        f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
        '[serial]\nurl = "/dev/x"\n[mqtt]\nurl = "mqtt://h"\n'
    )
    loaded = python(
        "import sys, json, pathlib\n"
        "from spektron_edge.daemon.daemon import Daemon\n"
        "from spektron_edge.prediction.product import load_product\n"
        "from spektron_edge.config.loading import load_config\n"
        "model = load_product(load_config(pathlib.Path(sys.argv[1]))).model\n"
        "import numpy as np\n"
        "model.applicability.assess(np.zeros(60))\n"
        "print(json.dumps(sorted(sys.modules)))",
        str(path),
    )
    assert not set(SLOW) & set(json.loads(loaded))


def test_the_command_line_loads_almost_nothing_before_it_knows_the_command():
    loaded = json.loads(
        python("import sys, json, spektron_edge.cli.main\nprint(json.dumps(sorted(sys.modules)))")
    )
    assert not {*SLOW, "numpy", "pydantic", "onnxruntime", "paho"} & set(loaded)


def test_the_page_begins_without_onnxruntime_for_which_its_memory_is_too_small():
    code = "import sys, json, spektron_edge.page.serving\nprint(json.dumps(sorted(sys.modules)))"
    assert not {*SLOW, "onnxruntime", "paho"} & set(json.loads(python(code)))


BLOCKED = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxscript", "spektron_train"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
names = []
for package in ("spektron_edge", "firmware_bridge"):
    names.append(package)
    root = importlib.import_module(package)
    names += [m.name for m in pkgutil.walk_packages(root.__path__, package + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""


def test_every_module_of_the_runtime_imports_without_the_training_stack():
    pytest.importorskip("rich")
    assert int(python(BLOCKED)) > 60


def test_onnxruntime_is_told_not_to_phone_home():
    assert (
        python(
            "import os\nos.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
            "import spektron_edge.inference\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
        )
        == "1\n"
    )
