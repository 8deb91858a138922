"""The section of commands over MQTT, and of who may send them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from spektron_edge.command_names import CommandName

from .section import Section


class Operator(Section):
    """Someone who may send commands, proven by a shared key."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="stands in the audit log")
    key_file: Path = Field(description="16 bytes or more that only the two sides know")
    may: tuple[CommandName, ...] = Field(description="commands that are carried out")


def _distinct(operators: tuple[Operator, ...]) -> tuple[Operator, ...]:
    names = [operator.name for operator in operators]
    if len(set(names)) != len(names):
        raise ValueError("two operators share a name")
    files = [operator.key_file for operator in operators]
    if len(set(files)) != len(files):
        raise ValueError("two operators share a key file: nobody could tell them apart")
    return operators


class Commands(Section):
    """Who may do what over MQTT. Without operators, no command is accepted."""

    operators: Annotated[tuple[Operator, ...], AfterValidator(_distinct)] = ()
    two_people: tuple[CommandName, ...] = Field(
        (), description="carried out only when a second operator asks for the same in 10 minutes"
    )
    reload_trial_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="what worked before a reload has to work again within so long",
    )

    @model_validator(mode="after")
    def _enough_people(self) -> Commands:
        if "adapt-approve" in self.two_people:
            raise ValueError("two people for adapt-approve: set `approvals = 2` in [adaptation]")
        for name in self.two_people:
            if sum(name in operator.may for operator in self.operators) < 2:
                raise ValueError(f"two_people: fewer than two operators may {name}")
        return self
