"""How images and weights lie in memory: the layout follows from the spec, and changes nothing but rounding."""

import pytest
import safetensors.torch
import torch
from specs import SMALL, make_spec

from ablation.training import run as training
from ablation.training.layout import arrange, choose_layout, gather
from ablation.training.run import Run

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def strides(images):
    """Those that torch gives a new tensor of that layout: where there is one channel, several would do."""
    channels, height, width = images.shape[1:]
    first, last = (height * width, width, 1), (1, width * channels, channels)
    return {torch.contiguous_format: first, torch.channels_last: last}


@pytest.mark.parametrize("shape", [(5, 1, 4, 6), (5, 3, 4, 6), (5, 3, 1, 1), (0, 3, 4, 4)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("given", LAYOUTS)
def test_the_same_images_always_have_the_same_strides(shape, layout, given):
    images = torch.randn(shape)
    arranged = arrange(images.contiguous(memory_format=given), layout)
    chosen = torch.tensor([3, 1][: shape[0]], dtype=torch.long)
    batch = gather(arranged, chosen, layout)
    assert torch.equal(arranged, images)
    assert torch.equal(batch, images[chosen])
    assert arranged.stride()[1:] == strides(images)[layout]
    assert arrange(batch, layout).stride() == arranged.stride()
    assert arrange(arranged, layout).data_ptr() == arranged.data_ptr(), "and are not copied"


def test_code_of_the_authors_own_gets_images_as_their_shape_says(tmp_path):
    (tmp_path / "own.py").write_text("")
    own, spec = f"{tmp_path}/own.py:part", make_spec(recipe={"augmentation": "crop1"})
    assert choose_layout(spec) == torch.channels_last
    assert choose_layout({**spec, "architecture": {**spec["architecture"], "builder": own}}) == torch.contiguous_format
    layers = {**spec["architecture"]["layers"], "norm": {"level": "own", "make": own, "arguments": {}}}
    assert (
        choose_layout({**spec, "architecture": {**spec["architecture"], "layers": layers}}) == torch.contiguous_format
    )
    assert choose_layout({**spec, "code": {**spec["code"], "augmentation": [[own, 1]]}}) == torch.contiguous_format


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", ["lenet", "googlenet", "densenet_cifar"])
def test_layouts_differ_in_rounding_alone(name, optimizer, parts, monkeypatch):
    recipe = {"optimizer": optimizer, "lr": 1e-3, "augmentation": "crop1+flip+cutout2", "epochs": 1}
    recipe |= {"momentum": 0.9} if optimizer == "sgd" else {}
    without_dropout, rows = {"dropout": 0.0} if name == "googlenet" else {}, []
    for layout in LAYOUTS:
        monkeypatch.setattr(training, "choose_layout", lambda spec, layout=layout: layout)
        run = Run(make_spec(name, recipe=recipe, **SMALL[name], **without_dropout), parts, 10)
        run.epoch()
        result = run.result()
        assert all(value.is_contiguous() for value in result.weights.values())
        assert safetensors.torch.save(result.weights)
        rows.append([run.curves[-1][loss] for loss in ("train_loss", "validation_loss")])
    assert rows[0] == pytest.approx(rows[1], rel=1e-3)
