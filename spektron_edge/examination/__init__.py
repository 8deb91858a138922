"""Looks at everything that commonly goes wrong: one module for each part.

`setup`, `doctor` and `check-config` share them. A look changes nothing, and
says what it found in `Finding`s.
"""
