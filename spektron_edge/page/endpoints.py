"""All that the page answers."""

from __future__ import annotations

from .api import (
    adaptation,
    audit,
    bundles,
    commands,
    incoming,
    live,
    products,
    qualifications,
    records,
    session,
    spectra,
    support,
    transfer,
    users,
)
from .declaration import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *session.ENDPOINTS,
    *live.ENDPOINTS,
    *commands.ENDPOINTS,
    *products.ENDPOINTS,
    *records.ENDPOINTS,
    *spectra.ENDPOINTS,
    *transfer.ENDPOINTS,
    *adaptation.ENDPOINTS,
    *bundles.ENDPOINTS,
    *incoming.ENDPOINTS,
    *qualifications.ENDPOINTS,
    *audit.ENDPOINTS,
    *users.ENDPOINTS,
    *support.ENDPOINTS,
)
