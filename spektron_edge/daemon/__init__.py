"""The loop that takes every scan its way, and what only that loop does."""
