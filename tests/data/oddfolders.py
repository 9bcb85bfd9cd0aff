"""Odd folders of images: what spoils a good one, and what the message says of it. None stands for a right result."""

import os
import random

import numpy as np
from imagefiles import fill, save
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
ODD = {}


def odd(expected):
    """Note a function that spoils the folder that it is given, with the words of the message to expect of it."""

    def note(make):
        ODD[make.__name__] = (make, expected)
        return make

    return note


def good(folder, count=5, **options):
    fill(folder, count=count, size=(16, 16), **options)
    for position, path in enumerate(sorted(folder.rglob("*.png"))):  # no two alike
        pixels = np.asarray(Image.open(path)).copy()
        pixels[0, 0] = position
        save(path, pixels)
    return folder


def truncated(suffix, share):
    def make(folder):
        path = good(folder) / f"bee/broken.{suffix}"
        save(path, NOISE)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return make


for suffix in ("png", "jpg", "gif", "bmp", "tiff", "ppm", "webp"):
    for share in (0.02, 0.3, 0.6):
        ODD[f"truncated_{suffix}_{share}"] = (
            truncated(suffix, share),
            f"bee/broken.{suffix}: no image that can be read",
        )


@odd("no such folder")
def missing(folder):
    pass


@odd("no such folder")
def a_file(folder):
    folder.write_text("not a folder")


@odd("found the classes: none")
def empty(folder):
    folder.mkdir()


@odd("found the classes: bee,")
def one_class(folder):
    good(folder, classes=("bee",))


@odd("found the classes: none")
def images_without_classes(folder):
    save(folder / "0.png", NOISE)


@odd("stray.png: lies in no class")
def stray(folder):
    save(good(folder) / "stray.png", NOISE)


@odd("ant: a class without images")
def empty_class(folder):
    (good(folder) / "ant").mkdir()


@odd("ant: a class without images")
def class_of_texts(folder):
    (good(folder) / "ant").mkdir()
    (folder / "ant/readme.txt").write_text("no image")


@odd("found train, val, expected train and test")
def train_and_val(folder):
    for part in ("train", "val"):
        good(folder / part)


@odd("found val beside train and test")
def three_parts(folder):
    for part in ("train", "val", "test"):
        good(folder / part)


@odd("found train, expected train and test")
def train_alone(folder):
    good(folder / "train")


@odd("every one of the 15 test images is among the images for training")
def the_same_test(folder):
    for part in ("train", "test"):
        good(folder / part)


@odd("a link to the other part")
def a_test_that_links_to_train(folder):
    good(folder / "train")
    (folder / "test").symlink_to("train")


@odd("test/bee: a link to a folder of these images that is read already")
def a_test_class_that_links_to_train(folder):
    good(folder / "train")
    good(folder / "test", classes=("cat", "dog"))
    (folder / "test/bee").symlink_to("../train/bee")


@odd("test/owl: a class without images|train/owl: a class without images")
def a_class_in_the_test_alone(folder):
    good(folder / "train")
    good(folder / "test", classes=("cat", "dog", "bee", "owl"))


@odd("bee/up: a link to a folder of these images that is read already")
def a_circle_of_links(folder):
    (good(folder) / "bee/up").symlink_to("..")


@odd("bee/itself: a link to a folder of these images that is read already")
def a_link_to_its_own_folder(folder):
    (good(folder) / "bee/itself").symlink_to(".")


@odd("bee/x.png: no image that can be read")
def a_link_to_itself(folder):
    (good(folder) / "bee/x.png").symlink_to("x.png")


@odd("bee/a: a link that leads nowhere or in a circle")
def links_to_each_other(folder):
    (good(folder) / "bee/a").symlink_to("b")
    (folder / "bee/b").symlink_to("a")


@odd("a link to a folder of these images that is read already")
def links_that_double_at_each_level(folder):
    """Followed without care, two links at each of forty levels are a million million folders."""
    here = good(folder) / "bee"
    for level in range(40):
        (here / "next").mkdir()
        for name in ("left", "right"):
            (here / name).symlink_to("next")
        here = here / "next"
        save(here / f"{level}.png", NOISE)


@odd("owl: a link that leads nowhere")
def a_class_that_leads_nowhere(folder):
    (good(folder) / "owl").symlink_to("/nowhere/owl")


@odd("bee/gone.png: no image that can be read")
def a_broken_link(folder):
    (good(folder) / "bee/gone.png").symlink_to("/nowhere.png")


@odd(r"caf\udce9.png': a name that is not UTF-8")
def a_file_name_that_is_no_text(folder):
    save(good(folder) / "bee/ok.png", NOISE)
    os.rename(os.fsencode(folder / "bee/ok.png"), os.fsencode(folder / "bee") + b"/caf\xe9.png")


@odd("a name that is not UTF-8")
def a_class_name_that_is_no_text(folder):
    os.rename(os.fsencode(good(folder) / "bee"), os.fsencode(folder) + b"/b\xe9e")


@odd(None)
def names_with_line_breaks(folder):
    os.rename(good(folder) / "bee/0.png", folder / 'bee/a\nb,"c".png')


@odd(None)
def names_in_other_scripts(folder):
    os.rename(good(folder) / "bee", folder / "蜂 é")


@odd(None)
def a_path_of_four_hundred_characters(folder):
    deep = good(folder) / "bee" / "/".join(["x" * 99] * 4)
    save(deep / "0.png", NOISE)


@odd(None)
def folders_within_folders(folder):
    save(good(folder) / "bee" / "/".join("d" * 600) / "0.png", NOISE)


@odd("bee/0.png: an empty file")
def zero_bytes(folder):
    (good(folder) / "bee/0.png").write_bytes(b"")


@odd("bee/0.png: no image that can be read (of no known format)")
def text_as_an_image(folder):
    (good(folder) / "bee/0.png").write_text("no image")


@odd("bee/0.png: no image that can be read")
def random_bytes_as_an_image(folder):
    (good(folder) / "bee/0.png").write_bytes(random.Random(0).randbytes(500))


@odd("bee/0.png: no image that can be read")
def bytes_behind_a_good_head(folder):
    path = good(folder) / "bee/0.png"
    path.write_bytes(path.read_bytes()[:40] + random.Random(0).randbytes(500))


@odd("bee/pipe.png: no regular file")
def a_pipe(folder):
    os.mkfifo(good(folder) / "bee/pipe.png")


@odd("bee/zero.png: no regular file")
def a_link_to_a_device(folder):
    (good(folder) / "bee/zero.png").symlink_to("/dev/zero")


@odd(None)
def a_folder_called_like_an_image(folder):
    save(good(folder) / "bee/folder.png/0.png", NOISE)


@odd("bee/0.png: found 4x4 pixels, expected 8 or more a side")
def images_too_small(folder):
    fill(folder, size=(4, 4))


@odd("bee/1.png: found 1x1 pixels, expected 8 or more a side")
def one_image_too_small(folder):
    save(good(folder) / "bee/1.png", NOISE[:1, :1])


@odd("bee/1.png: found 16x12 pixels, expected 16x16")
def one_image_of_another_size(folder):
    save(good(folder) / "bee/1.png", NOISE[:12])


@odd("found 12x16 pixels, expected a square; set data.side")
def no_squares(folder):
    fill(folder, size=(16, 12))


@odd("1 or more training images of each class, found fewer of bee (0), cat (0), dog (0)")
def one_image_of_each_class(folder):
    good(folder, count=1)


@odd("1 or more training images of each class, found fewer of bee (0)")
def two_images_of_a_class(folder):
    good(folder)
    for place in (0, 1, 2):
        (folder / f"bee/{place}.png").unlink()


@odd("and 80 more")
def one_image_of_each_of_many_classes(folder):
    for label in range(100):
        save(folder / f"c{label:03}/0.png", NOISE + np.uint8(label))


@odd("one single shade in channel 1 (shade 7), channel 2 (shade 7), channel 3 (shade 7) of 3")
def one_colour(folder):
    for name in ("cat", "dog"):
        for place in range(3):
            save(folder / f"train/{name}/{place}.png", np.full((16, 16, 3), 7, np.uint8))
        save(folder / f"test/{name}/0.png", NOISE)


@odd("one single shade in channel 3 (shade 0) of 3")
def an_empty_channel(folder):
    for path in sorted(good(folder).rglob("*.png")):
        pixels = np.asarray(Image.open(path)).copy()
        pixels[..., 2] = 0
        save(path, pixels)


@odd("found pixels of mode I;16, expected 8 bits per channel")
def sixteen_bits(folder):
    save(good(folder) / "bee/deep.png", np.zeros((16, 16), np.uint16))


@odd("found pixels of mode F, expected 8 bits per channel")
def floating_point(folder):
    Image.fromarray(np.zeros((16, 16), np.float32)).save(good(folder) / "bee/float.tiff")


@odd(None)
def mixed_channels(folder):
    save(good(folder) / "bee/grey.png", NOISE[..., 0])
    save(folder / "bee/alpha.png", np.concatenate([NOISE, NOISE[..., :1]], 2))
    Image.fromarray(NOISE).convert("P").save(folder / "bee/palette.png")
    Image.fromarray(NOISE).convert("CMYK").save(folder / "bee/cmyk.jpg")


@odd(None)
def the_same_image_on_both_sides(folder):
    good(folder / "train")
    good(folder / "test", classes=("bee", "cat", "dog"), count=6)
