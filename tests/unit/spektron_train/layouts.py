"""Small files in exactly the published layouts, for sets that cannot be had here."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np

from spektron_train.data.spectral_set import SpectralSet

QM9S_GRIDS = {
    "ir": 500.0 + np.arange(3501),
    "raman": 500.0 + np.arange(3501),
    "uv": 1 + 0.02 * np.arange(701),
}


def spectral_set(n=5, axis=None, seed=0, **changes) -> SpectralSet:
    """A set of random absorbances with two properties, the second unknown for even rows."""
    axis = np.linspace(1100.0, 1200.0, 11) if axis is None else axis
    random = np.random.default_rng(seed)
    references = random.uniform(1, 2, (n, 2))
    references[::2, 1] = np.nan
    fields = {
        "name": "made",
        "spectra": random.uniform(0.1, 1, (n, len(axis))),
        "axis": axis,
        "axis_unit": "nm",
        "quantity": "absorbance",
        "references": references,
        "properties": ("moisture", "oil"),
        "units": ("%", "g/kg"),
        "sample_ids": tuple(f"s{i}" for i in range(n)),
        "instruments": ("a",) * n,
        "sha256": f"{seed:064x}",
        "licence": "none",
    }
    return SpectralSet(**{**fields, **changes})


def write_table(path: Path, header, rows, separator=",") -> Path:
    text = "\n".join(separator.join(map(str, row)) for row in [header, *rows]) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def write_csv(path: Path, part: SpectralSet, separator=",", decimal=".") -> Path:
    """The CSV convention of docs/data.md."""

    def number(value):
        return "" if np.isnan(value) else repr(float(value)).replace(".", decimal)

    named = [f"{p} [{u}]" for p, u in zip(part.properties, part.units, strict=True)]
    header = ["sample_id", "instrument", *named, *map(number, part.axis)]
    rows = [
        [part.sample_ids[i], part.instruments[i]]
        + [number(v) for v in (*part.references[i], *part.spectra[i])]
        for i in range(len(part))
    ]
    return write_table(path, header, rows, separator)


def qm9s_csv(folder: Path, kind: str, n: int = 3) -> tuple[Path, np.ndarray]:
    """figshare 24235333: pandas' to_csv, so an unnamed column of row numbers comes first."""
    values = np.random.default_rng(1).uniform(0, 9, (n, len(QM9S_GRIDS[kind]))).round(6)
    header = ["", *(f"{v:.10g}" for v in QM9S_GRIDS[kind])]
    rows = [[i, *row] for i, row in enumerate(values)]
    return write_table(folder / f"{kind}_boraden.csv", header, rows), values


def qm9s_hdf5(path: Path, n: int = 5) -> np.ndarray:
    """qm9s_processed.h5 of ktubhyam/Spektron (src/data/qm9s.py); the last has no IR spectrum."""
    values = np.random.default_rng(2).normal(size=(n, 2048)).astype(np.float32)
    with h5py.File(path, "w") as file:
        for kind in ("ir", "raman"):
            file.create_dataset(kind, data=values, chunks=(64, 2048), maxshape=(None, 2048))
        names = [f"C{'C' * i}" for i in range(n)]
        file.create_dataset("smiles", data=names, dtype=h5py.string_dtype())
        file["has_ir"] = np.arange(n) < n - 1
        file["has_raman"] = np.ones(n, bool)
        file.attrs.update({"n_molecules": n, "wavenumber_range": "500-4000 cm^-1"})
    return values


def ossl_csv(path: Path) -> Path:
    """OSSL 1.2: one with both scans, one with MIR only, one whose VisNIR has a gap."""
    header = [
        "dataset.code_ascii_txt",
        "id.layer_uuid_txt",
        "layer.upper.depth_usda_cm",
        "clay.tot_usda.a334_w.pct",
        "ph.h2o_usda.a268_index",
        "scan.visnir.model.code_any_txt",
        *(f"scan_visnir.{w}_ref" for w in range(350, 2501, 50)),
        *(f"scan_mir.{w}_abs" for w in range(600, 4001, 200)),
    ]
    visnir, mir = ["0.3"] * 44, ["1.2"] * 18
    gap = ["0.3"] * 43 + ["NA"]
    rows = [
        ["KSSL.SSL", "u1", 0, "20.5", "", "ASD_LabSpec", *visnir, *mir],
        ["KSSL.SSL", "u2", 0, "NA", "6.5", "", *[""] * 44, *mir],
        ["LUCAS.SSL", "u3", 0, "1", "7", "XDS", *gap, *mir],
        ["LUCAS.SSL", "u4", 0, "2", "7", "XDS", "", *visnir[1:], *mir],
    ]
    return write_table(path, header, rows)


def lucas_csv(path: Path) -> Path:
    """LUCAS.SOIL_corr.csv: R's write.csv, names in quotes, spectra from spc.400 on."""
    header = ["", "POINT_ID", "coarse", "clay", "pH.in.H2O", "OC", "GPS_LAT"]
    header += [f"spc.{w:g}" for w in np.arange(400, 402, 0.5)]
    rows = [[1, 27962446, 10, 14, 6.2, 31.4, 37.1, 0.71, 0.7, 0.69, 0.68]]
    rows += [[2, 27962447, 10, "NA", 6.4, 11.4, 37.2, 0.61, 0.6, 0.59, 0.58]]
    return write_table(path, [f'"{name}"' for name in header], rows)


def icraf_csv(path: Path) -> Path:
    """ICRAF_ISRIC_MIR_spectra.csv: SSN, then m and a wavenumber, falling."""
    header = ["SSN", "m4001.6", "m3999.7", "m3997.8"]
    return write_table(path, header, [["icr001", 0.3, 0.4, 0.5], ["icr002", 0.6, 0.7, 0.8]])


def jcamp_text(x, y, xunits="1/CM", yunits="ABSORBANCE", **labels) -> str:
    """JCAMP-DX 4.24, (X++(Y..Y)) in plain numbers, five a line."""
    step = (x[-1] - x[0]) / (len(x) - 1)
    head = {
        "TITLE": "made",
        "JCAMP-DX": "4.24",
        "DATA TYPE": "INFRARED SPECTRUM",
        "XUNITS": xunits,
        "YUNITS": yunits,
        "FIRSTX": x[0],
        "LASTX": x[-1],
        "DELTAX": step,
        "NPOINTS": len(x),
        "FIRSTY": y[0],
        "MAXY": max(y),
        "MINY": min(y),
        "XFACTOR": 1.0,
        "YFACTOR": 1.0,
        **labels,
    }
    lines = [f"##{name}={value}" for name, value in head.items()]
    lines.append("##XYDATA=(X++(Y..Y))")
    lines += [f"{x[i]} " + " ".join(f"{v:.6f}" for v in y[i : i + 5]) for i in range(0, len(x), 5)]
    return "\n".join([*lines, "##END=\n"])


def spc_bytes(y, first=400.0, last=4000.0, xtype=1, ytype=2, log=b"") -> bytes:
    """A single-trace SPC file, new format: 512-byte header, 32-byte sub-header, float values."""
    n = len(y)
    log_at = 544 + 4 * n if log else 0
    head = struct.pack(
        "<BBBbIddIBBBBI9s9sH8f130s30sI",
        *(0, 0x4B, 0, -128, n, first, last, 1, xtype, ytype, 0, 0, 0),
        *(b"", b"FTIR", 0, *[0.0] * 8, b"", b"", log_at),
    )
    sub = struct.pack("<BbHfffIIf4s", 0, -128, 0, 0, 0, 0, n, 0, 0, b"")
    block = struct.pack("<IIIII44s", 64 + len(log), 4096, 64, 0, 0, b"") + log if log else b""
    return head.ljust(512, b"\0") + sub + np.asarray(y, "<f4").tobytes() + block


def spc_integers(counts, exponent: int, sub_exponent: int) -> bytes:
    """As `spc_bytes`, 32-bit integers with an exponent in each header."""
    raw = bytearray(spc_bytes(counts))
    raw[3] = exponent & 0xFF
    raw[513] = sub_exponent & 0xFF
    raw[544:] = np.asarray(counts, "<i4").tobytes()
    return bytes(raw)
