"""The augmentations: what each changes, and what it leaves."""

import re

import pytest
import torch

from ablation.catalogue.catalogue import OURS
from ablation.catalogue.recipes import AUGMENTATIONS, augmentation_pattern, parse_augmentation
from ablation.study.specs import code_spec
from ablation.training import augmentation

EVERY = ["crop2", "translate2", "flip", "cutout4", "colour30", "translate2+flip+colour10"]


def generator(seed=3):
    return torch.Generator().manual_seed(seed)


def noise(count=50, channels=3, side=8):
    return torch.randn(count, channels, side, side, generator=generator(0))


def make_augmentation(text):
    spec = code_spec(OURS, {"optimizer": "sgd", "schedule": "constant", "augmentation": text})
    return augmentation.make_augmentation(spec["augmentation"])


@pytest.mark.parametrize(
    "text", ["", "crop", "crop0", "flip2", "shear3", "crop4+", "colour101", "crop4 + flip", "none+flip"]
)
def test_what_is_no_augmentation_is_refused(text):
    with pytest.raises(ValueError, match=r"none, or parts joined|at most colour100"):
        parse_augmentation(text, AUGMENTATIONS)


@pytest.mark.parametrize("text", ["none", *EVERY])
def test_what_is_one_is_read_and_fits_the_pattern_of_editors(text):
    assert len(parse_augmentation(text, AUGMENTATIONS)) == (text != "none") + text.count("+")
    assert re.fullmatch(augmentation_pattern(), text)


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_generator_gives_the_same_images_again(text, channels):
    images, augment = noise(channels=channels), make_augmentation(text)
    before = images.clone()
    once = augment(images, generator())
    assert once.shape == images.shape
    assert once.dtype == images.dtype
    assert torch.equal(once, augment(images, generator()))
    assert not torch.equal(once, augment(images, generator(4)))
    assert torch.equal(images, before), "the training images themselves stay as they are"


@pytest.mark.parametrize("text", EVERY)
def test_each_image_has_its_own_draw(text):
    augmented = make_augmentation(text)(noise(1).expand(50, -1, -1, -1), generator())
    assert len(augmented.flatten(1).unique(dim=0)) > 1


def test_nothing_is_nothing():
    images = noise()
    assert torch.equal(make_augmentation("none")(images, generator()), images)


@pytest.mark.parametrize(("text", "padding"), [("crop2", "constant"), ("translate2", "reflect")])
def test_a_shift_goes_everywhere_within_its_range_and_nowhere_else(text, padding):
    images = torch.arange(1.0, 65).reshape(1, 1, 8, 8).expand(200, 1, 8, 8)
    shifted = make_augmentation(text)(images, generator())
    padded = torch.nn.functional.pad(images[:1], (2, 2, 2, 2), mode=padding)[0, 0]
    windows = {(r, c): padded[r : r + 8, c : c + 8] for r in range(5) for c in range(5)}
    shifts = [[place for place, window in windows.items() if torch.equal(image, window)] for image in shifted[:, 0]]
    assert all(len(places) == 1 for places in shifts)
    assert {places[0] for places in shifts} == set(windows)


def test_translate_shifts_as_crop_and_fills_with_the_image_itself():
    images = noise() + 10  # no pixel is zero
    cropped, translated = (make_augmentation(text)(images, generator()) for text in ("crop3", "translate3"))
    inside = cropped != 0
    assert not inside.all()
    assert torch.equal(cropped[inside], translated[inside])
    assert (translated > 0).all()


def test_flip_mirrors_about_half_of_the_images_and_leaves_the_others():
    images = noise(400, side=4)
    flipped = make_augmentation("flip")(images, generator())
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored | same).all()
    assert 150 < mirrored.sum() < 250


def test_cutout_clears_at_most_a_square_and_nothing_else():
    images = noise(100, 2)
    cut = make_augmentation("cutout4")(images, generator())
    cleared = cut == 0
    assert torch.equal(cut[~cleared], images[~cleared])
    assert torch.equal(cleared[:, 0], cleared[:, 1])
    for square in cleared[:, 0]:
        rows, columns = square.any(1).sum(), square.any(0).sum()
        assert square.sum() == rows * columns
        assert 2 <= rows <= 4
        assert 2 <= columns <= 4


def test_colour_shifts_the_mean_by_no_more_than_its_share():
    images = noise(400)
    shifts = (make_augmentation("colour20")(images, generator()) - images).mean((1, 2, 3))
    assert shifts.abs().max() <= 0.2
    assert shifts.min() < -0.15
    assert shifts.max() > 0.15


def test_colour_changes_contrast_by_no_more_than_its_share_and_grey_images_in_no_other_way():
    images = noise(400, channels=1)
    changed = make_augmentation("colour20")(images, generator())
    spread, before = (one.std((2, 3), keepdim=True) for one in (changed, images))
    ratio = spread / before
    assert 0.8 <= ratio.min() < 0.85
    assert 1.15 < ratio.max() <= 1.2 + 1e-6
    middle, old = (one.mean((2, 3), keepdim=True) for one in (changed, images))
    torch.testing.assert_close((changed - middle) / spread, (images - old) / before)


def test_colour_changes_saturation_by_no_more_than_its_share():
    images = torch.zeros(400, 3, 4, 4)  # without contrast, in one colour each
    images[:, 0], images[:, 1] = 1, -0.5
    changed = make_augmentation("colour20")(images, generator())
    ratio = (changed[:, 0] - changed[:, 1])[:, 0, 0] / 1.5
    assert 0.8 - 1e-6 <= ratio.min() < 0.85
    assert 1.15 < ratio.max() <= 1.2 + 1e-6
