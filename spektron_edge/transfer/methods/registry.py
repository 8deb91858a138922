"""Every method that runs on the instrument, by key: what docs and tests go through."""

from __future__ import annotations

from .difference_ridge import DifferencePenalisedRidge
from .invariant_pls import DomainInvariantPls
from .invariant_ridge import DomainInvariantRidge
from .joint_update import JointUpdate
from .latent_transport import LatentTransport
from .method import Method
from .orthogonal import ExternalParameterOrthogonalisation
from .piecewise import PiecewiseDirectStandardisation
from .simple import MeanMatch, MeanShift, NoTransfer, SlopeBias
from .smooth_correction import SmoothCorrection, StandardsCorrection
from .spektron_route import SpektronRoute
from .standardisation import DirectStandardisation, SpectralSpaceTransform

_METHODS: tuple[type[Method], ...] = (
    NoTransfer,
    MeanShift,
    SlopeBias,
    DirectStandardisation,
    PiecewiseDirectStandardisation,
    SpectralSpaceTransform,
    ExternalParameterOrthogonalisation,
    DifferencePenalisedRidge,
    SmoothCorrection,
    JointUpdate,
    MeanMatch,
    DomainInvariantRidge,
    DomainInvariantPls,
    StandardsCorrection,
    LatentTransport,
    SpektronRoute,
)
REGISTRY: dict[str, type[Method]] = {method.key: method for method in _METHODS}
