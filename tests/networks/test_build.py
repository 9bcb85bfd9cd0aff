"""Networks of one's own: what their builder returns is checked, and left as it was."""

import pytest
import torch
from specs import make_spec

from ablation.networks.build import build
from ablation.support.references import OwnCodeError

OWN = """
import torch
from torch import nn


class Remembering(nn.Linear):
    seen = None

    def forward(self, x):
        if self.seen is None:
            self.seen = torch.zeros(1, device=x.device)
        if x.abs().max() > 1e6:
            raise OverflowError
        return super().forward(x.flatten(1)) + self.seen


def remembering(input_shape, classes, layers):
    return Remembering(input_shape[0] * input_shape[1] * input_shape[2], classes)


def short(input_shape, classes, layers):
    return remembering(input_shape, classes - 1, layers)


def text(input_shape, classes, layers):
    return "a network"


def failing(input_shape, classes, layers):
    return layers.no_such_layer
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    layers = make_spec()["architecture"]["layers"]
    return lambda name: {"name": name, "builder": f"{tmp_path}/own.py:{name}", "layers": layers, "arguments": {}}


def test_a_network_that_remembers_its_first_input_has_seen_none(spec):
    network = build(spec("remembering"), (1, 8, 8), 10)
    assert network.seen is None
    assert network.training
    assert network(torch.randn(3, 1, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("short", r"found outputs of shape \(9,\) for one image of \(1, 8, 8\), expected 10 logits"),
        ("text", "found an object of type str, expected a torch.nn.Module"),
        ("failing", "own.py, line 30: failing cannot build a network: AttributeError"),
    ],
)
def test_what_is_no_network_is_refused_in_a_sentence(spec, name, expected):
    with pytest.raises(OwnCodeError, match=expected):
        build(spec(name), (1, 8, 8), 10)
