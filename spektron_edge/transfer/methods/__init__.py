"""Transfer methods as classes with scikit-learn's `fit`, `transform` and `predict`.

Both instruments are on one axis here (`spektron_edge.transfer.axes` gets them there). What `fit` of
`spektron_edge.transfer` chooses from and averages stands here one by one.
"""

from .calibration import Calibrator, RidgeCalibration
from .difference_ridge import DifferencePenalisedRidge
from .invariant_pls import DomainInvariantPls
from .invariant_ridge import DomainInvariantRidge
from .joint_update import JointUpdate
from .latent_transport import LatentTransport
from .method import Method, TransferMethod
from .orthogonal import ExternalParameterOrthogonalisation
from .piecewise import PiecewiseDirectStandardisation
from .registry import REGISTRY
from .simple import MeanMatch, MeanShift, NoTransfer, SlopeBias
from .smooth_correction import SmoothCorrection, StandardsCorrection
from .spektron_route import SpektronRoute
from .standardisation import DirectStandardisation, SpectralSpaceTransform

__all__ = [
    "REGISTRY",
    "Calibrator",
    "DifferencePenalisedRidge",
    "DirectStandardisation",
    "DomainInvariantPls",
    "DomainInvariantRidge",
    "ExternalParameterOrthogonalisation",
    "JointUpdate",
    "LatentTransport",
    "MeanMatch",
    "MeanShift",
    "Method",
    "NoTransfer",
    "PiecewiseDirectStandardisation",
    "RidgeCalibration",
    "SlopeBias",
    "SmoothCorrection",
    "SpectralSpaceTransform",
    "SpektronRoute",
    "StandardsCorrection",
    "TransferMethod",
]
