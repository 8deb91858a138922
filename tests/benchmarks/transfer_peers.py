"""Peers of the transfer, each tuned on training data alone by one rule, with PLS on the source.

The rule: filter, PLS components and the method's own setting are chosen together, per property, by
cross-validated error on the source plus the mean squared disagreement of left out pairs.
"""

from __future__ import annotations

import warnings

import numpy as np

from spektron_edge.transfer.filters import filters_for

COMPONENTS = 15
FOLDS = 5


def pls_path(x, y, components=COMPONENTS):
    """(c, p) coefficients of PLS1 with 1 to c components for centred x (n, p) and y (n,).

    Wold, Sjostrom and Eriksson, Chemom. Intell. Lab. Syst. 58 (2001) 109.
    """
    e, f = x.copy(), y.copy()
    loadings, rotations, out = [], [], []
    total = np.zeros(x.shape[1])
    for _ in range(components):
        w = e.T @ f
        norm = np.linalg.norm(w)
        if norm < 1e-12:
            break
        w = w / norm
        t = e @ w
        power = t @ t
        p, q = e.T @ t / power, f @ t / power
        e = e - np.outer(t, p)
        f = f - q * t
        # The weight as seen from the undeflated spectra.
        r = w - sum(((old @ w) * turn for old, turn in zip(loadings, rotations, strict=True)), 0.0)
        loadings.append(p)
        rotations.append(r)
        total = total + q * r
        out.append(total)
    out += [out[-1]] * (components - len(out))
    return np.array(out)


class _Source:
    """PLS of one filter on the source with its cross-validated errors."""

    def __init__(self, x, y):
        self.x_mean, self.y_mean = x.mean(axis=0), y.mean(axis=0)
        self.paths = [
            pls_path(x - self.x_mean, y[:, j] - self.y_mean[j]) for j in range(y.shape[1])
        ]
        order = np.random.default_rng(0).permutation(len(x))
        self.cv = np.zeros((y.shape[1], COMPONENTS))
        for held in np.array_split(order, FOLDS):
            kept = np.setdiff1d(order, held)
            mean = x[kept].mean(axis=0)
            for j in range(y.shape[1]):
                centre = y[kept, j].mean()
                path = pls_path(x[kept] - mean, y[kept, j] - centre)
                error = centre + (x[held] - mean) @ path.T - y[held, j][:, None]
                self.cv[j] += np.sum(error**2, axis=0) / len(x)

    def predict(self, x, j):
        """(k, c)."""
        return self.y_mean[j] + (x - self.x_mean) @ self.paths[j].T


def _mean_shift(s, t, _):
    d = s.mean(axis=0) - t.mean(axis=0)
    return lambda x: x + d


def _sst(s, t, k):
    from pynir.CalibrationTransfer import SST

    model = SST(n_components=k).fit(s, t)
    return model.transform


def _ds(s, t, k):
    from chemotools.adaptation import DirectStandardization

    model = DirectStandardization(n_components=k) if k else DirectStandardization()
    return model.fit(t, X_source=s).transform


def _pds(s, t, setting):
    from chemotools.adaptation import PiecewiseDirectStandardization

    half, k = setting
    model = PiecewiseDirectStandardization(window_length=half, n_components=k, scale=False)
    return model.fit(t, X_source=s).transform


MAPS = {
    "mean shift": (_mean_shift, (0,)),
    "SST (pynir)": (_sst, (2, 3)),
    "PDS (chemotools)": (_pds, ((3, 2),)),
}


def all_peers(case, chosen, names=("mean shift", "SST (pynir)", "slope and bias", "EPO")):
    """Method -> (k, m) predictions of the test set, by pairs `chosen` of the training samples."""
    filters = filters_for(case.source_axis.size)[:2]
    made = {f.name: (f, _Source(f.apply(case.x_source), case.y)) for f in filters}
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            if name in MAPS:
                out[name] = _mapped(case, chosen, made, *MAPS[name])
            elif name == "EPO":
                out[name] = _epo(case, chosen, filters)
            else:
                out[name] = _slope(case, chosen, made)
    return out


def _mapped(case, chosen, made, method, settings):
    m = case.y.shape[1]
    best, values = np.full(m, np.inf), np.zeros((len(case.x_test), m))
    for filter_, source in made.values():
        s, t = filter_.apply(case.x_source[chosen]), filter_.apply(case.x_target[chosen])
        test = filter_.apply(case.x_test)
        for setting in settings:
            n = len(chosen)
            if isinstance(setting, int) and setting >= n - 1:
                continue
            left = np.stack(
                [
                    method(np.delete(s, i, 0), np.delete(t, i, 0), setting)(t[i : i + 1])[0]
                    for i in range(n)
                ]
            )
            moved = method(s, t, setting)(test)
            for j in range(m):
                gap = source.predict(left, j) - source.predict(s, j)
                score = source.cv[j] + np.mean(gap**2, axis=0)
                c = int(np.argmin(score))
                if score[c] < best[j]:
                    best[j], values[:, j] = score[c], source.predict(moved, j)[:, c]
    return values


def _slope(case, chosen, made):
    """Slope and bias on references, the pair left out for the score."""
    m, n = case.y.shape[1], len(chosen)
    best, values = np.full(m, np.inf), np.zeros((len(case.x_test), m))
    for filter_, source in made.values():
        t, test = filter_.apply(case.x_target[chosen]), filter_.apply(case.x_test)
        for j in range(m):
            read, wanted = source.predict(t, j), case.y[chosen, j]
            for c in range(COMPONENTS):
                error = 0.0
                for i in range(n):
                    kept = np.arange(n) != i
                    line = np.polyfit(read[kept, c], wanted[kept], 1)
                    error += (np.polyval(line, read[i, c]) - wanted[i]) ** 2 / n
                score = source.cv[j, c] + error
                if score < best[j]:
                    line = np.polyfit(read[:, c], wanted, 1)
                    best[j] = score
                    values[:, j] = np.polyval(line, source.predict(test, j)[:, c])
    return values


def _epo(case, chosen, filters):
    """External parameter orthogonalisation (Roger et al. 2003), our code, PLS afterwards."""
    m, n = case.y.shape[1], len(chosen)
    best, values = np.full(m, np.inf), np.zeros((len(case.x_test), m))
    for filter_ in filters:
        x, test = filter_.apply(case.x_source), filter_.apply(case.x_test)
        s, t = x[chosen], filter_.apply(case.x_target[chosen])
        for k in sorted({1, 2, 3, n // 2, n - 2} - {0}):

            def project(z, rows, k=k):
                v = np.linalg.svd(rows, full_matrices=False)[2][:k]
                return z - (z @ v.T) @ v

            source = _Source(project(x, s - t), case.y)
            gaps = np.zeros((m, n, COMPONENTS))
            for i in range(n):
                rows = np.delete(s - t, i, 0)
                z = project(x, rows)
                pair = project(np.stack([s[i], t[i]]), rows)
                for j in range(m):
                    path = pls_path(z - z.mean(axis=0), case.y[:, j] - case.y[:, j].mean())
                    gaps[j, i] = (pair[1] - pair[0]) @ path.T
            for j in range(m):
                score = source.cv[j] + np.mean(gaps[j] ** 2, axis=0)
                c = int(np.argmin(score))
                if score[c] < best[j]:
                    best[j] = score[c]
                    values[:, j] = source.predict(project(test, s - t), j)[:, c]
    return values
