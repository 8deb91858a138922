"""A laboratory's own linear model as a bundle: no encoder, no torch, no pickle."""
