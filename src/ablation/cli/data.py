"""Read a data set, split it, and write it as arrays with a digest, unless that was done before."""

import argparse
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ablation.catalogue.sources import DataError, Source
from ablation.data import datasets
from ablation.data.manifests import describe_identical
from ablation.support.files import left_aside, write_whole
from ablation.support.locks import CannotLockError, hold, tell


def prepared(folder: Path, made_with: str) -> dict[str, Any] | None:
    """Return the manifest of complete data that were prepared in the same way; None if there are none."""
    try:
        manifest = datasets.read(folder)[1]
    except DataError:
        return None
    return manifest if manifest.get("made_with") == made_with else None


def outlived(data: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """Return the manifest of whole data whose source is gone, such as a disk that was taken away, and say so; else None."""
    source = data.get("folder")
    if not source or os.path.lexists(source):
        return None
    try:
        manifest = datasets.read(folder)[1]
    except DataError:
        return None
    tell(
        f"{source}: no such folder of images now; the data that were prepared from it are whole and are used: {folder}"
    )
    return manifest


def main(arguments: argparse.Namespace) -> None:
    """Prepare the data for all studies that use them, and write the receipt of this one."""
    data, made = json.loads(arguments.spec), "prepared before"
    with ExitStack() as locked:
        try:
            locked.enter_context(hold(arguments.folder / "lock", what=f"the data {arguments.folder}"))
            for path in left_aside(arguments.folder):  # by a killed process that prepared them: the lock is ours now
                path.unlink()
        except CannotLockError as error:
            tell(f"{error}: another study that prepares the same data meanwhile does so a second time")
        manifest = prepared(arguments.folder, arguments.made_with) or outlived(data, arguments.folder)
        if manifest is None:
            images = datasets.load(data, Source.read(arguments.source), arguments.downloads)
            arrays, manifest = datasets.arrange(images, data)
            manifest["made_with"], made = arguments.made_with, manifest["source"]
            datasets.write(arguments.folder, arrays, manifest, images)
    with write_whole(arguments.receipt) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    counts = ", ".join(f"{count} {part}" for part, count in manifest["counts"].items())
    print(f"{data['name']} ({made}): {counts}; digest {manifest['digest']}")
    for sentence in describe_identical(manifest):
        print(f"{data['name']}: {sentence} (all of them in {arguments.folder}/split.csv)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--spec", required=True, help="the part `data` of a study, as JSON")
    parser.add_argument("--source", required=True, help="where the data come from, as `Source.text` writes it")
    parser.add_argument(
        "--made-with", default="", help="what else determines the data: a digest of code and of the user's images"
    )
    parser.add_argument("--downloads", type=Path, default=datasets.DOWNLOADS, help="where fetched files are kept")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the arrays, which studies share")
    parser.add_argument("--receipt", type=Path, required=True, help="the manifest of the data, to write for this study")
