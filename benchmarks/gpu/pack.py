"""Cut prepared data into pieces of so many megabytes, for where not more can be carried at once.

python benchmarks/gpu/pack.py results/data/cifar10-… TARGET [--megabytes 60]
"""

import argparse
import math
import shutil
from pathlib import Path

import numpy as np


def pack(folder: Path, target: Path, megabytes: float) -> int:
    """Write the images and labels of a folder in pieces, each a share of every array, and return how many."""
    names = [f"{part}_{what}" for part in ("train", "validation", "test") for what in ("images", "labels")]
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    pieces = max(1, math.ceil(sum(array.nbytes for array in arrays.values()) / (megabytes * 1e6)))
    target.mkdir(parents=True, exist_ok=True)
    for piece in range(pieces):
        shares = {name: np.array_split(array, pieces)[piece] for name, array in arrays.items()}
        np.savez(target / f"piece-{piece:03d}.npz", pieces=pieces, **shares)
    shutil.copy(folder / "manifest.json", target)
    return pieces


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the prepared data")
    parser.add_argument("target", type=Path, help="folder of the pieces")
    parser.add_argument("--megabytes", type=float, default=60.0, help="of a piece at most")
    given = parser.parse_args()
    print(f"{pack(given.folder, given.target, given.megabytes)} pieces in {given.target}")
