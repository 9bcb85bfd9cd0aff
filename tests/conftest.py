import os
import sys

import pytest
import torch
from specs import prepared_digits

from ablation.training import evaluation

torch.set_num_threads(1)  # the tests themselves run side by side
# Where no bytecode is written, each of the hundreds of processes that the tests start compiles the package once more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session")
def digits():
    return prepared_digits()


@pytest.fixture(scope="session")
def parts(digits):
    arrays, manifest = digits
    everything = evaluation.put_on_device(arrays, manifest, torch.device("cpu"))
    return {name: evaluation.Part(part.images[:200], part.labels[:200]) for name, part in everything.items()}
