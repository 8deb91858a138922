"""The firmware's library against MISRA C:2012, as far as cppcheck's addon knows it."""

import re
import subprocess
from pathlib import Path

from tests.requirements import need

SOURCES = Path(__file__).parents[2] / "firmware_bridge" / "firmware"
# All advisory. What is not here is not broken, the required and mandatory rules among it.
BROKEN_ON_PURPOSE = {
    "2.4": "tags of structures that are used by their typedef",
    "2.5": "the header's macros are for its users",
    "11.5": "a callback's context is a pointer to void",
    "12.1": "precedence that every C programmer knows",
    "15.5": "a function returns where it knows the answer",
    "17.8": "parameters that count down",
    "18.4": "a cursor moves through its buffer",
    "19.2": "a message is a union; floats are read through one",
}


def test_only_advisory_rules_are_broken_and_on_purpose():
    need("cppcheck")
    command = ["cppcheck", "--std=c99", "--addon=misra", "-I", "include"]
    sources = sorted(path.relative_to(SOURCES) for path in SOURCES.glob("src/*.c"))
    assert sources
    done = subprocess.run(
        [*command, *map(str, sources)], cwd=SOURCES, capture_output=True, text=True, check=True
    )
    found = set(re.findall(r"\[misra-c2012-([\d.]+)\]", done.stderr))
    assert found - BROKEN_ON_PURPOSE.keys() == set(), done.stderr
    assert found
