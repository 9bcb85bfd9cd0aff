"""Read a data set, split it, and write it as arrays with a digest."""

import argparse
import json
from pathlib import Path

from ablation import datasets
from ablation.commands import run


def main(arguments: argparse.Namespace) -> None:
    """Prepare the data and write arrays, then manifest."""
    data = json.loads(arguments.spec)
    images = datasets.load(data)
    arrays, manifest = datasets.arrange(images, data)
    datasets.write(arguments.folder, arrays, manifest, images.files)
    counts = ", ".join(f"{count} {part}" for part, count in manifest["counts"].items())
    print(f"{data['name']} ({manifest['source']}): {counts}; digest {manifest['digest']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", required=True, help="the part `data` of a study, as JSON")
    parser.add_argument("--folder", type=Path, required=True, help="folder to write")
    run(main, parser)
