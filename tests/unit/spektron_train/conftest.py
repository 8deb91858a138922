import pytest
import torch

from spektron_train.model import Encoder, EncoderConfig

SMALL = EncoderConfig(width=32, hidden=64, heads=2, layers=2, channels=(8, 12), z_chem=16, z_inst=8)

# One thread: two would spin against whatever else the machine runs.
torch.set_num_threads(1)


@pytest.fixture
def small_encoder():
    torch.manual_seed(0)
    return Encoder(SMALL).eval()
