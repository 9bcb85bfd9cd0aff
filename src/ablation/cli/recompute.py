"""Make every table and every verdict of an archive again, and say whether they are equal. Nothing is trained.

The archive, which `ablation bundle` wrote, is unpacked, every file is compared with its digest, and the code that makes the
tables of a study makes them from the records in it. It needs this package and nothing else: no store, no data. Numbers
count as equal within a relative difference of 1e-9, for other versions of libraries round otherwise; folders in names of
files do not count. The command ends with 1 if something differs.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from ablation.analysis.outcomes import read_outcomes
from ablation.analysis.recomputed import RELATIVE, difference
from ablation.jobs.bundling import MADE, VERBS
from ablation.jobs.unbundling import check_records, own_code, read_about, said_of_code, settled_plan
from ablation.records.archive import ArchiveError, unpack
from ablation.report.verdicts import counts_words
from ablation.support.formatting import plural
from ablation.support.wording import UserError

EPILOG = """examples:
  ./do ablation recompute digits.zip                  says which tables are equal
  ./do ablation recompute digits.zip --into digits    and leaves the archive unpacked, with what was made again
"""
AGAIN = "recomputed"  # folder of what is made again
# What the verbs need, by their options, in the folder of a study's results.
INPUTS = {"variants": "plan/variants.csv", "manifest": "data.json", "registered": ""}


def main(arguments: argparse.Namespace) -> None:
    """Unpack, make again, compare; exits with 1 if something differs."""
    with contextlib.ExitStack() as kept:
        folder = arguments.into or Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="ablation-recompute-")))
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder}: found a folder with files, expected an empty one or none")
        if not recompute(arguments.bundle, folder.resolve(), arguments.trust):
            sys.exit(1)


def recompute(bundle: Path, folder: Path, trusted: bool) -> bool:
    """Make the tables and verdicts of an archive again in a folder, say what became of each, and whether all are equal.

    Parameters
    ----------
    bundle, folder : Path
    trusted : bool
        Whether code in the archive, of its author's own metrics, may run.

    Raises
    ------
    ArchiveError
        If the archive is damaged, its plan or records cannot be read by this version of the program, or it has code that
        would have to run and is not trusted.
    """
    unpack(bundle, folder)
    about = read_about(bundle, folder)
    place, again = folder / "results" / about.study, folder / AGAIN / about.study
    (again / "plan").mkdir(parents=True)
    plan = settled_plan(bundle, about, folder, again / f"plan/{about.study}.json")
    print(f"{bundle}: {about.study}, {plural(about.runs, 'run')}; every file is what its digest says")
    print(said_of_code(about, plan, place), flush=True)
    check_records(bundle, place)
    if (code := own_code(plan)) and not trusted:
        names = ", ".join(os.path.relpath(one, folder) for one in code)
        raise ArchiveError(
            f"{bundle}: its metrics are code of its author's own ({names}), which would run here: read it (--into FOLDER "
            "unpacks it), and allow it by --trust"
        )
    make_again(place, again, place.parent / "store")
    names = dict.fromkeys([*MADE.values(), *(f"tables/{path.name}" for path in sorted(place.glob("tables/*")))])
    found = {
        name: difference(place / name, again / name)
        for name in names
        if (place / name).is_file() or (again / name).is_file()
    }
    for name, what in found.items():
        print(f"differs  {name}: {what}" if what else f"equal    {name}")
    if verdicts := counts_words(read_outcomes(again / MADE["verdicts"])):
        print(f"verdicts, made again: {verdicts}")
    equal = sum(not what for what in found.values())
    print(f"{equal} of {plural(len(found), 'file')} equal, numbers within a relative difference of {RELATIVE:g}")
    return equal == len(found)


def make_again(place: Path, again: Path, store: Path) -> None:
    """Run the verbs that make the tables of a study.

    Parameters
    ----------
    place : Path
        The results of the study, as they were unpacked.
    again : Path
        The folder for the new ones, with the plan.
    store : Path
        The records.
    """
    (again / "tables").mkdir(exist_ok=True)
    files = {"study": [again / f"plan/{place.name}.json"], "store": [store]}
    files |= {name: sorted(place.glob(f"{name}/*/*.json")) for name in ("shards", "measured")}
    files |= {name: [place / path] for name, path in INPUTS.items()}
    files |= {name: [again / path] for name, path in MADE.items()}
    words = [word for name, paths in files.items() for word in (f"--{name}", *map(str, paths))]
    for verb in VERBS:
        module = import_module(f"ablation.cli.{verb}")
        parser = argparse.ArgumentParser(prog=f"ablation {verb}", allow_abbrev=False)
        module.add_arguments(parser)
        with contextlib.redirect_stdout(io.StringIO()):
            module.main(parser.parse_known_args(words)[0])  # each takes what it has an option for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = EPILOG
    parser.add_argument("bundle", type=Path, help="archive that ablation bundle wrote")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="empty or new folder to unpack it into, which stays"
    )
    parser.add_argument("--trust", action="store_true", help="let code in the archive run: metrics of its author's own")
