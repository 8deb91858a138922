"""The page's modules without a browser, by node's own test runner."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.requirements import need

_HERE = Path(__file__).parent


def test_modules_by_nodes_own_runner(tmp_path: Path) -> None:
    need("node")
    tests = sorted(str(found) for found in _HERE.glob("*.test.mjs"))
    # Modules are .js here, as browsers want them named: this says that they are modules.
    say = ["node", "--experimental-default-type=module", "--test", *tests]
    env = {**os.environ, "LANG": "en_GB.UTF-8", "LC_ALL": "en_GB.UTF-8"}
    ran = subprocess.run(say, capture_output=True, text=True, check=False, env=env)
    assert ran.returncode == 0, ran.stdout + ran.stderr
