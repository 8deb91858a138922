"""The whole configuration file: its sections, and what they say together."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from spektron_edge.backend_choice import BackendChoice
from spektron_edge.bundle.manifest import Precision

from .commands import Commands
from .instrument import Acquisition, Serial, check_integration
from .model import AdaptationSettings, InferenceSettings, Trust
from .mqtt import Mqtt
from .outbox import OutboxLimits
from .page import PageSettings
from .publishing import HomeAssistantSettings, MetricsSettings, SparkplugSettings, SpectraSettings
from .qualification import QualificationSettings
from .retention import Retention
from .section import Section, TopicPart


class Log(Section):
    """Log lines."""

    format: Literal["text", "json"] = Field("text", description="json: one object a line")
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is less than this is left out"
    )


class Config(Section):
    """The whole file."""

    site: TopicPart = Field(description="the plant or laboratory; the second part of every topic")
    instrument: TopicPart = Field(description="its place there; the third part of every topic")
    state_dir: Path = Field(description="folder of all that is kept; one daemon's own")
    bundle: Literal["slots"] | Path | None = Field(
        None, description='a file; "slots": the active slot; absent: the corn bundle of the package'
    )
    product: str | None = Field(None, description="needed when the bundle holds several")
    precision: Precision | None = Field(
        None, description="absent: int8 where the bundle has it, else fp32"
    )
    serial: Serial
    mqtt: Mqtt
    acquisition: Acquisition = Acquisition()
    outbox: OutboxLimits = OutboxLimits()
    retention: Retention = Retention()
    commands: Commands = Commands()
    spectra: SpectraSettings = SpectraSettings()
    trust: Trust | None = None
    inference: InferenceSettings = InferenceSettings()
    adaptation: AdaptationSettings = AdaptationSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    sparkplug: SparkplugSettings = SparkplugSettings()
    metrics: MetricsSettings = MetricsSettings()
    page: PageSettings = PageSettings()
    qualification: QualificationSettings = QualificationSettings()
    log: Log = Log()

    @model_validator(mode="after")
    def _births_elsewhere(self) -> Config:
        own = f"spektron/{self.site}/{self.instrument}"
        birth = self.home_assistant.birth_topic
        if birth == own or birth.startswith(f"{own}/"):
            raise ValueError(f"home_assistant.birth_topic: {birth} is one of this instrument's own")
        return self

    @model_validator(mode="after")
    def _can_be_set(self) -> Config:
        check_integration(self.serial, self.acquisition.integration_us)
        return self

    @property
    def uses_slots(self) -> bool:
        """Whether the bundle is the one in the active slot. A file of that name is `./slots`."""
        return self.bundle == "slots"

    @property
    def backend(self) -> BackendChoice:
        """The backend to try, and where its engines are."""
        return BackendChoice(
            self.inference.backend, self.inference.engines or self.state_dir / "engines"
        )

    @property
    def bundle_path(self) -> Path:
        """The bundle file to load where no slots are used."""
        return self.bundle if isinstance(self.bundle, Path) else shipped_bundle()

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Files of keys and passwords that are named here; some may not be there."""
        operators = (operator.key_file for operator in self.commands.operators)
        given = (self.mqtt.password_file, self.mqtt.key_file, self.page.key, *operators)
        return tuple(path for path in given if path is not None)


def shipped_bundle() -> Path:
    """The bundle that comes with the package."""
    return Path(str(resources.files("spektron_edge").joinpath("bundles/corn.spektron")))
