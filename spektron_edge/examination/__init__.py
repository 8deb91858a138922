"""Looks at everything that commonly goes wrong: one module for each part, shared by `setup`, `doctor`
and `check-config`. A look changes nothing, and says what it found in `Finding`s."""
