"""Student's t and Fisher's F, from the incomplete beta function; the runtime has no scipy.

Abramowitz and Stegun 26.5 to 26.7; the continued fraction 26.5.8 by Lentz's method.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_MOST_TERMS = 10_000
_PRECISION = 1e-15


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for 0 <= x <= 1 and a, b > 0."""
    if not (a > 0 and b > 0 and 0 <= x <= 1):
        raise ValueError(f"I_x(a, b) is not defined for x {x}, a {a}, b {b}")
    if x in (0.0, 1.0):
        return x
    # The fraction converges fast on this side of the mean only.
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_share(1.0 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return min(front * _fraction(x, a, b) / a, 1.0)


def _fraction(x: float, a: float, b: float) -> float:
    above, below = 1.0, 1.0 - (a + b) * x / (a + 1)
    below = 1.0 / (below if abs(below) > _TINY else _TINY)
    value = below
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            below = 1.0 + term * below
            below = 1.0 / (below if abs(below) > _TINY else _TINY)
            above = 1.0 + term / above
            above = above if abs(above) > _TINY else _TINY
            step = above * below
            value *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return value


def t_two_sided(t: float, freedom: int) -> float:
    """Probability that |T| is at least |t|, T of Student's distribution."""
    if math.isinf(t):
        return 0.0
    return beta_share(freedom / (freedom + t * t), freedom / 2, 0.5)


def t_quantile(share: float, freedom: int) -> float:
    """t below which that share of Student's distribution lies; 0.5 <= share < 1."""
    return _solved(lambda t: 1.0 - t_two_sided(t, freedom) / 2, share)


def f_quantile(share: float, above: int, below: int) -> float:
    """F below which that share of Fisher's distribution lies; degrees of freedom of numerator and
    denominator; 0 < share < 1."""

    def under(f: float) -> float:
        return beta_share(above * f / (above * f + below), above / 2, below / 2)

    return _solved(under, share)


def _solved(rising: Callable[[float], float], share: float) -> float:
    """The x >= 0 at which a rising function reaches the share, by bisection."""
    low, high = 0.0, 1.0
    while rising(high) < share:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if rising(middle) < share else (low, middle)
    return (low + high) / 2
