"""Peers of the transfer, each tuned on training data alone by one rule, with PLS on the source.

The rule: filter, PLS components and the method's own setting are chosen together, per property, by
cross-validated error on the source plus the mean squared disagreement of left out pairs. This
module is also imported where peers need an old environment (`old_peers_run`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Task:
    """What a peer may see: source spectra x (N, p) with y (N, m), pairs s, t (n, p) with labels
    (n, m), and the test spectra (k, p) that it predicts.
    """

    x: np.ndarray
    y: np.ndarray
    s: np.ndarray
    t: np.ndarray
    labels: np.ndarray
    test: np.ndarray

    def filtered(self, space) -> Task:
        """Through a filter, or anything else with `apply`."""
        return Task(
            space.apply(self.x),
            self.y,
            space.apply(self.s),
            space.apply(self.t),
            self.labels,
            space.apply(self.test),
        )

    def without(self, i) -> Task:
        """All but one pair."""
        s, t, labels = (np.delete(a, i, 0) for a in (self.s, self.t, self.labels))
        return Task(self.x, self.y, s, t, labels, self.test)


class Source:
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


def _ds(s, t, _):
    """Centred on the pairs, since chemotools' has no intercept."""
    from chemotools.adaptation import DirectStandardization

    s_mean, t_mean = s.mean(axis=0), t.mean(axis=0)
    model = DirectStandardization().fit(t - t_mean, X_source=s - s_mean)
    return lambda x: model.transform(x - t_mean) + s_mean


def _pds(s, t, setting):
    from chemotools.adaptation import PiecewiseDirectStandardization

    half, k = setting
    model = PiecewiseDirectStandardization(window_length=half, n_components=k, scale=False)
    return model.fit(t, X_source=s).transform


MAPS = {
    "mean shift": (_mean_shift, (0,)),
    "SST (pynir)": (_sst, (2, 3)),
    "DS (chemotools)": (_ds, (0,)),
    "PDS (chemotools)": (_pds, ((3, 2),)),
}


def shifted(task):
    """Target spectra with the mean shift of the pairs, or of the populations without any."""
    own = task.s if len(task.s) else task.x
    d = own.mean(axis=0) - task.t.mean(axis=0)
    return replace(task, t=task.t + d, test=task.test + d)


def _sinkhorn(t, x, reg):
    import ot

    model = ot.da.SinkhornTransport(reg_e=reg, norm="median", max_iter=500)
    # The first argument is what moves.
    model.fit(Xs=t, Xt=x)
    return lambda new: model.transform(Xs=new)


def _gaussian(t, x, reg):
    import ot

    return (
        ot.da.LinearTransport(reg=reg * np.trace(np.cov(x.T)) / x.shape[1]).fit(t, Xt=x).transform
    )


TRANSPORTS = {
    "Sinkhorn OT (POT)": (_sinkhorn, [(k, reg) for k in (5, 10) for reg in (0.03, 0.3)]),
    "linear OT (POT)": (_gaussian, [(k, reg) for k in (3, 5) for reg in (1e-3, 0.1)]),
}


def transported(task, spaces, method, settings):
    """(k, m) by transport of target scores onto the source's, equal means first.

    settings: principal components of the source, and the transport's own. Partners are not told to
    the transport: pairs only choose the setting, and without any the first setting stays.
    """
    m, n = task.y.shape[1], len(task.s)
    best, values = np.full(m, np.inf), np.zeros((len(task.test), m))
    for space in spaces:
        own = shifted(task.filtered(space))
        mean = own.x.mean(axis=0)
        rows = np.linalg.svd(own.x - mean, full_matrices=False)[2]
        for k, setting in settings:
            x, s, t, test = ((z - mean) @ rows[:k].T for z in (own.x, own.s, own.t, own.test))
            source, moved = Source(x, own.y), method(t, x, setting)(test)
            left = [method(np.delete(t, i, 0), x, setting)(t[i : i + 1])[0] for i in range(n)]
            for j in range(m):
                score = source.cv[j].copy()
                if n:
                    gap = source.predict(np.stack(left), j) - source.predict(s, j)
                    score += np.mean(gap**2, axis=0)
                c = int(np.argmin(score))
                if score[c] < best[j]:
                    best[j], values[:, j] = score[c], source.predict(moved, j)[:, c]
    return values


def paired_task(case, chosen) -> Task:
    """The task of a case with the pairs `chosen` of its training samples."""
    s, t, labels = case.x_source[chosen], case.x_target[chosen], case.y[chosen]
    return Task(case.x_source, case.y, s, t, labels, case.x_test)


def unpaired_task(case, ours, theirs) -> Task:
    """Training samples `ours` on the source, other ones, `theirs`, on the target."""
    x, y = case.x_source[ours], case.y[ours]
    return Task(x, y, x[:0], case.x_target[theirs], y[:0], case.x_test)


def all_peers(task, names):
    """Method -> (k, m) predictions of the test set."""
    spaces = filters_for(task.x.shape[1])[:2]
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            if name in MAPS:
                out[name] = mapped(task, spaces, *MAPS[name])
            elif name in TRANSPORTS:
                out[name] = transported(task, spaces, *TRANSPORTS[name])
            elif name == "EPO":
                n = len(task.s)
                out[name] = projected(task, spaces, _epo, sorted({1, 2, 3, n // 2, n - 2} - {0}))
            elif name == "BS (pynir)":
                out[name] = _line(task, spaces, _pynir_line, on_labels=False)
            else:
                out[name] = _line(task, spaces, _least_squares, on_labels=True)
    return out


def mapped(task, spaces, method, settings):
    """(k, m) by the best of `settings` of method(s, t, setting) -> map of target spectra."""
    m, n = task.y.shape[1], len(task.s)
    best, values = np.full(m, np.inf), np.zeros((len(task.test), m))
    for space in spaces:
        own = task.filtered(space)
        source = Source(own.x, own.y)
        for setting in settings:
            if isinstance(setting, int) and setting >= n - 1:
                continue
            left = np.stack(
                [
                    method(np.delete(own.s, i, 0), np.delete(own.t, i, 0), setting)(
                        own.t[i : i + 1]
                    )[0]
                    for i in range(n)
                ]
            )
            moved = method(own.s, own.t, setting)(own.test)
            for j in range(m):
                gap = source.predict(left, j) - source.predict(own.s, j)
                score = source.cv[j] + np.mean(gap**2, axis=0)
                c = int(np.argmin(score))
                if score[c] < best[j]:
                    best[j], values[:, j] = score[c], source.predict(moved, j)[:, c]
    return values


def _least_squares(read, wanted):
    line = np.polyfit(read, wanted, 1)
    return lambda x: np.polyval(line, x)


def _pynir_line(read, wanted):
    from pynir.CalibrationTransfer import BS

    model = BS().fit(wanted, read)
    return lambda x: model.transform(np.asarray(x)).ravel()


def _line(task, spaces, method, *, on_labels):
    """Slope and bias of predictions, on references or on predictions from the source's spectra;
    the pair left out for the score."""
    m, n = task.y.shape[1], len(task.t)
    best, values = np.full(m, np.inf), np.zeros((len(task.test), m))
    for space in spaces:
        own = task.filtered(space)
        source = Source(own.x, own.y)
        for j in range(m):
            read, on_source = source.predict(own.t, j), source.predict(own.s, j)
            for c in range(COMPONENTS):
                wanted = task.labels[:, j] if on_labels else on_source[:, c]
                error = 0.0
                for i in range(n):
                    kept = np.arange(n) != i
                    moved = method(read[kept, c], wanted[kept])(read[i : i + 1, c])
                    error += float((moved[0] - wanted[i]) ** 2) / n
                score = source.cv[j, c] + error
                if score < best[j]:
                    best[j] = score
                    values[:, j] = method(read[:, c], wanted)(source.predict(own.test, j)[:, c])
    return values


def _epo(task, _, k):
    """(p, p) by external parameter orthogonalisation (Roger et al. 2003), our code."""
    v = np.linalg.svd(task.s - task.t, full_matrices=False)[2][:k]
    return np.eye(v.shape[1]) - v.T @ v


def projected(task, spaces, projector, settings):
    """(k, m) by the best of `settings` of projector(task, property, setting) -> (p, p)."""
    m, n = task.y.shape[1], len(task.t)
    best, values = np.full(m, np.inf), np.zeros((len(task.test), m))
    for space in spaces:
        own = task.filtered(space)
        for setting in settings:
            for j in range(m):
                e = projector(own, j, setting)
                source = Source(own.x @ e, own.y[:, [j]])
                score = source.cv[0].copy()
                for i in range(n if len(own.s) else 0):
                    score += _moved(own, i, j, projector, setting) ** 2 / n
                c = int(np.argmin(score))
                if score[c] < best[j]:
                    best[j] = score[c]
                    values[:, j] = source.predict(own.test @ e, 0)[:, c]
    return values


def _moved(own, i, j, projector, setting):
    """(c,) by how much pair i moves for each number of components, unseen by the projection."""
    e = projector(own.without(i), j, setting)
    z, y = own.x @ e, own.y[:, j]
    path = pls_path(z - z.mean(axis=0), y - y.mean())
    return (own.t[i] - own.s[i]) @ e @ path.T
