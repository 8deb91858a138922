from __future__ import annotations

import pytest

from tests.pages import ROOT, pages

MADE = pages()


@pytest.mark.parametrize("path", MADE, ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_page_is_what_the_code_says(path):
    assert path.read_text() == MADE[path], "run `make pages`"
