from __future__ import annotations

import pytest

from tests.pages import ROOT, pages


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_page_is_what_the_code_says(path):
    assert path.read_text() == pages()[path], "run `make pages`"
