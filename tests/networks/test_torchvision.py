"""Where torchvision has the same network, its weights in ours give the same outputs."""

import pytest
import torch
from specs import make_spec
from torch import nn

from ablation.networks.build import build

models = pytest.importorskip("torchvision.models")


def as_published(network):
    """Give torchvision's GoogLeNet the paper's last pooling of 3x3 windows."""
    network.maxpool4 = nn.MaxPool2d(3, 2, ceil_mode=True)
    return network


CASES = {
    "alexnet": ("alexnet", {"form": "torchvision", "groups": 1, "norm": "none"}, models.alexnet, 224),
    "vgg11": ("vgg", {"depth": 11}, models.vgg11, 224),
    "vgg16_bn": ("vgg", {"depth": 16, "norm": "batch"}, models.vgg16_bn, 224),
    "resnet18": ("resnet", {"depth": 18}, models.resnet18, 96),
    "resnet50": ("resnet", {"depth": 50}, models.resnet50, 96),
    "densenet121": ("densenet", {}, models.densenet121, 96),
    "googlenet": (
        "googlenet",
        {"five_by_five": "3x3", "norm": "batch", "auxiliary": True},
        lambda **options: as_published(models.googlenet(aux_logits=True, init_weights=False, **options)),
        96,
    ),
    "inception_v3": (
        "inception_v3",
        {},
        lambda **options: models.inception_v3(aux_logits=True, init_weights=False, **options),
        299,
    ),
}


def tensors(network):
    """List parameters and statistics in the order of layers, auxiliary classifiers last."""
    named = [(key, value) for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")]
    return [value for _, value in sorted(named, key=lambda item: "aux" in item[0].lower())]


# The share that is dropped in training, where torchvision's differs from ours.
SHARES = {"googlenet": {"dropout": 0.4, "dropout_aux": 0.7}}


def drawn(network, images):
    """Return the network's own logits in training mode, by the same random numbers every time."""
    torch.manual_seed(1)
    outputs = network.train()(images)
    return outputs[0] if isinstance(outputs, tuple) else outputs


@pytest.mark.parametrize("case", CASES)
def test_the_same_weights_give_the_same_outputs(case):
    name, levels, make, side = CASES[case]
    torch.manual_seed(0)
    theirs = make(num_classes=10, **SHARES.get(case, {})).eval()
    ours = build(make_spec(name, **levels)["architecture"], (3, side, side), 10).eval()
    with torch.no_grad():
        for parameter, published in zip(tensors(ours), tensors(theirs), strict=True):
            if published.dim() == 1:  # statistics that start at zero and one would hide a norm in the wrong place
                published.uniform_(0.5, 1.5)
            parameter.copy_(published)
        images = torch.randn(1, 3, side, side)
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
        # The same draws of dropout on the same maps: it stands where theirs does.
        images = torch.randn(2, 3, side, side)
        torch.testing.assert_close(*(drawn(network, images) for network in (ours, theirs)), rtol=1e-3, atol=1e-3)
