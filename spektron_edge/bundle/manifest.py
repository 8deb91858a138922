"""What a model bundle says of itself: the schema of `manifest.json`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from .observability import Observability
from .strict import Strict

Precision = Literal["int8", "fp32", "fp16"]
SourceSpectra = Literal["included", "left_out", "encrypted"]


# What transfer to another instrument can no longer do without the calibration spectra.
TRANSFER_WITHOUT: dict[SourceSpectra, str] = {
    "included": "",
    "left_out": (
        "direct and piecewise standardisation, spiking and recalibration: the calibration spectra "
        "are not in the bundle; aligning latents (z_chem) still works"
    ),
    "encrypted": (
        "direct and piecewise standardisation, spiking and recalibration anywhere but on the "
        "device that the spectra are encrypted for; aligning latents (z_chem) works everywhere"
    ),
}


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def is_plain_name(name: str) -> bool:
    """Whether a member's name is a file name and nothing else: no path, no hidden file."""
    return _PLAIN_NAME.fullmatch(name) is not None


def _plain_name(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError(f"member name {name!r} must be a plain file name")
    return name


MemberName = Annotated[str, AfterValidator(_plain_name)]
Serial = Annotated[str, Field(min_length=1, max_length=64)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Grid(Strict):
    """The model's axis: `points` equidistant wavelengths, `start_nm` + i * `step_nm`."""

    start_nm: float = Field(gt=0)
    step_nm: float = Field(gt=0)
    points: int = Field(ge=8, le=65536)

    def axis(self) -> NDArray[np.float64]:
        """(points,) wavelengths in nm."""
        return self.start_nm + self.step_nm * np.arange(self.points, dtype=np.float64)


class Property(Strict):
    """One predicted quantity: the column of the graph's `y` that holds it, its unit and range."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    unit: str
    column: int = Field(ge=0)
    calibrated_min: float
    calibrated_max: float


class GraphFile(Strict):
    """An ONNX file, or the part of one that no other graph has."""

    file: MemberName
    weights_file: MemberName | None = Field(
        None, description="what the graph shares with others; `file` followed by it is the graph"
    )


class Graph(GraphFile):
    """One encoder, (x, theta) -> y, z_chem, z_inst, and how far it may be from golden."""

    precision: Precision
    y_tolerance: dict[str, PositiveFloat] = Field(
        description="absolute, by property and in its unit"
    )
    z_tolerance: float = Field(gt=0, description="absolute, latent units")


class Adaptation(GraphFile):
    """Loss and gradient of adaptation: a graph from `inputs` to loss, terms and gradient."""

    inputs: tuple[str, ...]
    terms: tuple[str, ...] = Field(description="of the loss, in the order of `weights` and `terms`")
    golden: MemberName
    tolerance: float = Field(
        gt=0, description="of loss, terms and gradient, each relative to its largest element"
    )


class Figures(Strict):
    """Figures of merit of one property on the held-out set, in the property's unit."""

    rmsep: float
    r2: float
    bias: float
    sep: float
    rpd: float


class Evaluation(Strict):
    """Held-out performance as measured at export, by precision and property."""

    data: str
    samples: int
    figures: dict[Precision, dict[str, Figures]]


class Product(Strict):
    """One calibrated product: its grid, graphs, properties and what it was measured to be worth."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    grid: Grid
    quantity: Literal["absorbance"] = "absorbance"
    properties: tuple[Property, ...] = Field(min_length=1)
    graphs: tuple[Graph, ...] = Field(min_length=1)
    theta: MemberName
    source: MemberName
    golden: MemberName
    adapt: Adaptation | None = Field(None, description="absent: theta stays as it is")
    evaluation: Evaluation
    source_spectra: SourceSpectra = Field(
        "included", description="whether the calibration spectra are in `source`"
    )
    encrypted_spectra: MemberName | None = Field(
        None, description="calibration spectra for one device, where they are encrypted"
    )
    transfer_without: str = Field(
        "", description="what transfer cannot do for want of calibration spectra"
    )
    notes: tuple[str, ...] = Field((), description="what a reader of the figures must know")
    observability: tuple[Observability, ...] = Field(
        (), max_length=64, description="what instruments see of analytes, by theory"
    )

    @model_serializer(mode="wrap")
    def _without_empty(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Not named where it is not used: runtimes that do not know it refuse unknown names.
        held: dict[str, Any] = plain(self)
        if not self.observability:
            held.pop("observability", None)
        return held

    @model_validator(mode="after")
    def _consistent(self) -> Product:
        if len({p.name for p in self.properties}) != len(self.properties):
            raise ValueError("two properties share a name")
        if len({g.precision for g in self.graphs}) != len(self.graphs):
            raise ValueError("two graphs share a precision")
        for graph in self.graphs:
            if set(graph.y_tolerance) != {p.name for p in self.properties}:
                raise ValueError(f"`y_tolerance` of {graph.file} is not of the properties")
        if (self.source_spectra == "encrypted") != (self.encrypted_spectra is not None):
            raise ValueError(
                "`encrypted_spectra` names a member exactly when spectra are encrypted"
            )
        if (self.source_spectra == "included") != (not self.transfer_without):
            raise ValueError(
                "`transfer_without` says what is lost exactly when spectra are missing"
            )
        return self

    @property
    def usual_precision(self) -> Precision:
        """What runs unless another is asked for; a laboratory's own model has fp32 only."""
        return "int8" if any(g.precision == "int8" for g in self.graphs) else "fp32"

    def graph(self, precision: Precision) -> Graph:
        """The graph of that precision. Raises KeyError naming those that exist."""
        for graph in self.graphs:
            if graph.precision == precision:
                return graph
        have = ", ".join(g.precision for g in self.graphs)
        raise KeyError(f"product {self.name!r} has no {precision} graph (it has {have})")


class Provenance(Strict):
    """Where the model came from."""

    created: datetime
    git_commit: str
    seed: int
    data: dict[str, str] = Field(description="data set name -> SHA-256 of what was read")
    versions: dict[str, str]
    licences: dict[str, str]


class Manifest(Strict):
    """`manifest.json`. `files` lists every other member but the signatures, with its SHA-256."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: int = Field(ge=1, description="monotonic; a newer bundle has a larger number")
    devices: tuple[Serial, ...] | None = Field(
        None, min_length=1, description="serial numbers it is bound to; null: any instrument"
    )
    opset: int
    ir_version: int
    products: tuple[Product, ...] = Field(min_length=1)
    files: dict[MemberName, Sha256]
    provenance: Provenance

    @model_validator(mode="after")
    def _members_listed(self) -> Manifest:
        for product in self.products:
            wanted = [product.theta, product.source, product.golden]
            files: list[GraphFile] = [*product.graphs]
            if product.adapt:
                files.append(product.adapt)
                wanted.append(product.adapt.golden)
            wanted += [file.file for file in files]
            wanted += [file.weights_file for file in files if file.weights_file]
            wanted += [product.encrypted_spectra] if product.encrypted_spectra else []
            for name in wanted:
                if name not in self.files:
                    raise ValueError(f"product {product.name!r} names {name!r}, not in `files`")
        if len({p.name for p in self.products}) != len(self.products):
            raise ValueError("two products share a name")
        return self

    def product(self, name: str | None) -> Product:
        """The product of that name, or the only one. Raises KeyError naming those that exist."""
        if name is None and len(self.products) == 1:
            return self.products[0]
        for product in self.products:
            if product.name == name:
                return product
        have = ", ".join(p.name for p in self.products)
        raise KeyError(f"choose a product: the bundle holds {have}, not {name!r}")
