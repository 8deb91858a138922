"""Peers that take from seconds to half a minute a case: on a few splits only.

PDS as pynir and chemotools have it, under the rule of all peers. pynir's calibration enhancement
(PFCE) has no settings of its own: filter and PLS components are those of the source's
cross-validation, and at full width its optimiser takes up to 17 s a property, so it sees every
fifth channel of the filtered spectra, in units of their largest standard deviation.
"""

from __future__ import annotations

import warnings

import numpy as np

from spektron_edge.transfer.filters import filters_for

from .transfer_peers import COMPONENTS, MAPS, Source, Task, mapped

_EVERY = 5
_PFCE = ("NS-PFCE (pynir)", "SS-PFCE (pynir)", "FS-PFCE (pynir)", "MT-PFCE (pynir)")
NAMES = ("PDS (pynir)", "PDS (chemotools)", *_PFCE)


def predictions(task: Task) -> dict[str, np.ndarray]:
    """Method -> (k, m) predictions of the test set."""
    spaces = filters_for(task.x.shape[1])[:2]
    with warnings.catch_warnings():
        # SLSQP steps over its bounds for a moment and says so.
        warnings.simplefilter("ignore")
        out = {
            "PDS (pynir)": mapped(task, spaces, _pds, (3, 7)),
            "PDS (chemotools)": mapped(task, spaces, *MAPS["PDS (chemotools)"]),
        }
        return out | _enhanced(task, spaces)


def _pds(s, t, half):
    from pynir.CalibrationTransfer import PDS

    # Its last window leaves one channel to the window before it; one more channel mends that.
    s, t = (np.column_stack([z, z[:, -1]]) for z in (s, t))
    s_mean, t_mean = s.mean(axis=0), t.mean(axis=0)
    model = PDS(halfWindowSize=half).fit(s - s_mean, t - t_mean)
    return lambda x: (model.transform(np.column_stack([x, x[:, -1]]) - t_mean) + s_mean)[:, :-1]


def _enhanced(task: Task, spaces) -> dict[str, np.ndarray]:
    """PFCE moves the source's coefficients until they read the pairs right, still alike."""
    m = task.y.shape[1]
    out = {name: np.zeros((len(task.test), m)) for name in _PFCE}
    candidates = []
    for space in spaces:
        thin = _Thinned(space, task.x)
        own = task.filtered(thin)
        candidates.append((own, Source(own.x, own.y)))
    for j in range(m):
        own, source = min(candidates, key=lambda c: c[1].cv[j].min())
        c = min(int(np.argmin(source.cv[j])), COMPONENTS - 1)
        slopes = source.paths[j][c]
        first = np.concatenate([[source.y_mean[j] - source.x_mean @ slopes], slopes])
        for name, model in _models(own, j, first):
            out[name][:, j] = np.ravel(model(own.test))
    return out


def _models(own: Task, j: int, first: np.ndarray):
    from pynir.CalibrationTransfer import FS_PFCE, MT_PFCE, NS_PFCE, SS_PFCE

    y = own.labels[:, j]
    yield _PFCE[0], NS_PFCE().fit(own.s, own.t, first).transform
    yield _PFCE[1], SS_PFCE().fit(own.t, y, first).transform
    yield _PFCE[2], FS_PFCE().fit(own.s, own.t, y, first).transform
    both = MT_PFCE().fit([own.s, own.t], [y, y], first)
    yield _PFCE[3], lambda x: both.transform(x, 1)


class _Thinned:
    """Every fifth channel of a filter's output, in units of its largest standard deviation."""

    def __init__(self, space, x) -> None:
        self._space = space
        self._unit = float(space.apply(x).std(axis=0).max())

    def apply(self, spectra: np.ndarray) -> np.ndarray:
        return self._space.apply(spectra)[:, ::_EVERY] / self._unit
