"""The training host: data, model, losses and fine-tuning. Needs torch; the instrument does not."""
