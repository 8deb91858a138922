"""Classical chemometrics: ridge regression and the applicability model."""
