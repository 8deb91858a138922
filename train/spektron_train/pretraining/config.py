"""What a pretraining run is made of, read from TOML: a recipe that ships, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spektron_train.data.simulate.domain import DOMAINS, Domain
from spektron_train.data.simulate.stream import EpisodeSettings
from spektron_train.model import EncoderConfig

from .objective import PretrainWeights
from .schedule import Schedule

RECIPES = Path(__file__).parent / "recipes"
TERMS = tuple(field.name for field in fields(PretrainWeights))
# Keys that leave every step of a run as it is; a resumed run may change them.
_WITHOUT_EFFECT = frozenset(
    {
        "checkpoint.every",
        "log.every",
        "closing.instruments",
        "closing.budget_chem",
        "closing.budget_inst",
    }
)

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file and the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EpisodesSection(_Section):
    """Training data. `per_step` episodes make one optimiser step, on all processes together.

    samples, views, one_product, spread, windows: see `EpisodeSettings`; no windows means the whole
    grid of the domain. standardise: episodes that set the inputs' scale.
    """

    per_step: Count = 1
    # The few-shot term fits five samples and tests on as many; transport compares two views.
    samples: Annotated[int, Field(ge=10)] = 32
    views: Annotated[int, Field(ge=2)] = 3
    one_product: Share = 0.6
    spread: Annotated[float, Field(ge=0, le=2)] = 1.0
    windows: tuple[tuple[int, int], ...] = ()
    standardise: Count = 16


class EncoderSection(_Section):
    """Sizes of the encoder; the grid follows from the domain. See `EncoderConfig`."""

    width: Count = 256
    hidden: Count = 1024
    heads: Count = 4
    layers: Count = 3
    channels: tuple[Count, Count] = (48, 96)
    kernels: tuple[Count, Count, Count] = (9, 5, 5)
    strides: tuple[Count, Count, Count] = (4, 2, 2)
    z_chem: Count = 128
    z_inst: Count = 64


class OptimiserSection(_Section):
    """AdamW, linear warm-up over a share of the steps, cosine decay; clip: gradient norm."""

    rate: Annotated[float, Field(gt=0)] = 1e-3
    decay: Annotated[float, Field(ge=0)] = 0.05
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    clip: Annotated[float, Field(gt=0)] = 1.0


class ValidationSection(_Section):
    """Every so many steps, on the same episodes each time.

    patience: validations without a better smoothed total after which the run ends; 0: never.
    """

    every: Count = 200
    episodes: Count = 8
    patience: Annotated[int, Field(ge=0)] = 0


class ClosingSection(_Section):
    """After the last step: see `close_latents`. instruments 0: left out."""

    instruments: Annotated[int, Field(ge=0)] = 500
    budget_chem: Annotated[float, Field(gt=0)] = 0.007
    budget_inst: Annotated[float, Field(gt=0)] = 2.0


class EverySection(_Section):
    """Every so many steps."""

    every: Count = 100


class PretrainConfig(_Section):
    """A run. device: "auto" takes a GPU where there is one; threads: per process."""

    domain: Literal["nir", "mir", "raman"]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    steps: Count
    precision: Literal["fp32", "bf16"] = "fp32"
    device: Literal["auto", "cpu"] = "auto"
    threads: Count = 2
    episodes: EpisodesSection = EpisodesSection()
    encoder: EncoderSection = EncoderSection()
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    optimiser: OptimiserSection = OptimiserSection()
    validation: ValidationSection = ValidationSection()
    closing: ClosingSection = ClosingSection()
    checkpoint: EverySection = EverySection()
    log: EverySection = EverySection(every=1)

    @field_validator("weights")
    @classmethod
    def _known_terms(cls, weights: dict[str, float]) -> dict[str, float]:
        for name in weights:
            if name not in TERMS:
                raise ValueError(f"no term {name!r}; there are: {', '.join(TERMS)}")
        return weights

    @model_validator(mode="after")
    def _windows_fit(self) -> PretrainConfig:
        stride, points = self.encoder_config().stride, self.domain_model().grid[2]
        for first, channels in self.episodes.windows:
            if first < 0 or first % stride:
                raise ValueError(
                    f"episodes.windows: first channel {first} is not a multiple of {stride}, "
                    "the channels per token"
                )
            if channels < 4 * stride or first + channels > points:
                raise ValueError(
                    f"episodes.windows: {channels} channels from {first} do not fit; domain "
                    f"{self.domain} has {points} channels, and a window needs {4 * stride}"
                )
        return self

    def domain_model(self) -> Domain:
        """The domain by name."""
        return DOMAINS[self.domain]

    def episode_settings(self) -> EpisodeSettings:
        """As the stream takes them."""
        e = self.episodes
        windows = e.windows or ((0, self.domain_model().grid[2]),)
        return EpisodeSettings(e.samples, e.views, e.one_product, e.spread, windows)

    def encoder_config(self) -> EncoderConfig:
        """The encoder on the domain's grid. Raises ValueError for unusable sizes."""
        domain = self.domain_model()
        start, step, points = domain.grid
        # One property as a placeholder: what a foundation predicts is decided in fine-tuning.
        return EncoderConfig(
            start=start,
            step=step,
            points=points,
            unit=domain.unit,
            properties=1,
            **self.encoder.model_dump(),
        )

    def term_weights(self) -> PretrainWeights:
        """Weights of the terms, defaults where the file is silent."""
        return PretrainWeights(**self.weights)

    def schedule(self) -> Schedule:
        """The rate over the run, and the optimiser's other settings."""
        o = self.optimiser
        return Schedule(rate=o.rate, decay=o.decay, warmup=o.warmup, clip=o.clip)

    def with_steps(self, steps: int | None) -> PretrainConfig:
        """The same with another number of steps, if one is given."""
        return self if steps is None else self.model_copy(update={"steps": steps})


def recipes() -> tuple[str, ...]:
    """Names of the recipes that ship."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def load_config(source: str) -> PretrainConfig:
    """Read a TOML file, or a recipe by name. Raises ConfigError."""
    path = RECIPES / f"{source}.toml" if source in recipes() else Path(source)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"no file or recipe {source!r}; recipes: {', '.join(recipes())}"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    return parse_config(raw, str(path))


def parse_config(raw: Mapping[str, Any], source: str) -> PretrainConfig:
    """Check plain values. Raises ConfigError naming `source` and the key."""
    try:
        return PretrainConfig.model_validate(raw)
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        said = detail["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source}: {key}: {said}" if key else f"{source}: {said}") from None


def differing_keys(old: PretrainConfig, new: PretrainConfig) -> list[str]:
    """Keys that would make `new` another run than `old`, e.g. "optimiser.rate"."""
    a, b = _flat(old.model_dump()), _flat(new.model_dump())
    keys = sorted(a.keys() | b.keys())
    return [key for key in keys if key not in _WITHOUT_EFFECT and a.get(key) != b.get(key)]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result.update(_flat(value, f"{prefix}{key}."))
        else:
            result[prefix + key] = value
    return result
