"""Processes, devices and precision by Hugging Face Accelerate, and the state they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor, distribute_tensor

from spektron_train.model.theta import ADAPTER
from spektron_train.training.seed import seed_everything

from .assembly import Streams, build_model, open_streams, standardise
from .config import ConfigError, PretrainConfig
from .state import Snapshot, Tensors

# Whole tensors by name, in every process, however the processes share them.
_WHOLE = StateDictOptions(full_state_dict=True)


class LostContact(Exception):
    """Another process of the run is gone."""


@dataclass(frozen=True)
class Session:
    """One process's part in a run. keep: 0 for the entries of theta that stay as they are."""

    config: PretrainConfig
    accelerator: Accelerator
    model: torch.nn.Module
    optimiser: AcceleratedOptimizer
    keep: torch.Tensor
    streams: Streams

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return bool(self.accelerator.is_main_process)

    def share(self, count: int) -> range:
        """This process's part of 0 to count - 1, in stretches; every part has the same length."""
        each = count // self.accelerator.num_processes
        first = self.accelerator.process_index * each
        return range(first, first + each)

    def mean(self, values: list[torch.Tensor]) -> list[float]:
        """Mean over the processes of each scalar."""
        stacked = torch.stack([v.detach().double() for v in values])
        reduced: list[float] = self.accelerator.reduce(stacked, "mean").tolist()
        return reduced

    def setting(self) -> dict[str, str]:
        """What else the last digits depend on."""
        return {
            "device": self.accelerator.device.type,
            "processes": str(self.accelerator.num_processes),
            "torch": torch.__version__,
        }


def processes() -> int:
    """How many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leads() -> bool:
    """Whether this is the first process; known before the processes have met."""
    return os.environ.get("RANK", "0") == "0"


def is_lost_contact(error: BaseException) -> bool:
    """Whether an error of torch's says that another process is gone; it has no type of its own."""
    said = str(error).lower()
    return processes() > 1 and any(word in said for word in ("gloo", "nccl", "process group"))


def check_launch(config: PretrainConfig) -> None:
    """Whether the configuration suits the processes that were started. Raises ConfigError."""
    count = processes()
    for key, episodes in (
        ("episodes.per_step", config.episodes.per_step),
        ("validation.episodes", config.validation.episodes),
    ):
        if episodes % count:
            raise ConfigError(
                f"{key}: {episodes} episodes cannot be shared out among {count} processes; "
                f"take a multiple of {count}"
            )
    if _wants_fsdp() and not (_on_gpu(config) and "RANK" in os.environ):
        raise ConfigError(
            "FSDP needs GPUs and its own launcher, and this run has no GPU to use: leave out "
            "fsdp.yaml, or run `accelerate launch --config_file fsdp.yaml` on a GPU host"
        )


def _wants_fsdp() -> bool:
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def _on_gpu(config: PretrainConfig) -> bool:
    return config.device != "cpu" and torch.cuda.is_available()


def open_session(config: PretrainConfig) -> Session:
    """Meet the other processes and build the model. Raises ConfigError."""
    # Read where they are first needed: CUDA's products are reproducible only with a workspace, and
    # without a number of threads accelerate would choose one.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("OMP_NUM_THREADS", str(config.threads))
    accelerator = _accelerator(config)
    seed_everything(config.seed, config.threads)
    model = build_model(config)
    streams = open_streams(config)
    standardise(model, streams.scales, config.episodes.standardise)
    schedule = config.schedule()
    optimiser = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=schedule.rate,
        weight_decay=schedule.decay,
    )
    theta_keep = torch.ones(model.encoder.layout.size)
    theta_keep[: len(ADAPTER)] = 0
    prepared, optimiser = accelerator.prepare(model, optimiser)
    keep = _like(theta_keep, model.encoder.theta)
    return Session(config, accelerator, prepared, optimiser, keep, streams)


def _accelerator(config: PretrainConfig) -> Accelerator:
    try:
        return Accelerator(
            mixed_precision="bf16" if config.precision == "bf16" else "no",
            gradient_accumulation_steps=config.episodes.per_step // processes(),
            cpu=not _on_gpu(config),
        )
    except ValueError as error:
        raise ConfigError(f"this host cannot run it as configured: {error}") from None


def _like(whole: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """`whole` on the device, and in the parts, of a parameter."""
    if isinstance(parameter, DTensor):
        return distribute_tensor(whole, parameter.device_mesh, parameter.placements)
    return whole.to(parameter.device)


def freeze_adapter(session: Session) -> None:
    """Take the adapter's part out of theta's gradient: it is for instruments, not for matter."""
    theta = session.accelerator.unwrap_model(session.model).encoder.theta
    # Weight decay cannot move it either: it starts at zero.
    theta.grad.mul_(session.keep)


def restore(session: Session, snapshot: Snapshot) -> None:
    """Put a snapshot into model and optimiser; every process does so."""
    inner = session.optimiser.optimizer
    whole: Any = get_optimizer_state_dict(session.model, inner, options=_WHOLE)
    whole["state"] = snapshot.optimiser
    set_optimizer_state_dict(session.model, inner, whole, options=_WHOLE)
    # Last, since asking a new optimiser for its state makes it take a step of length zero.
    weights: Any = snapshot.model
    set_model_state_dict(session.model, weights, options=_WHOLE)


def capture(session: Session) -> tuple[Tensors, dict[str, Tensors]]:
    """Model state and AdamW's moments by name; every process has to ask."""
    moments: Any = get_optimizer_state_dict(
        session.model, session.optimiser.optimizer, options=_WHOLE
    )
    weights: Any = get_model_state_dict(session.model, options=_WHOLE)
    return weights, moments["state"]
