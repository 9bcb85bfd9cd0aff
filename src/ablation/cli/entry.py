"""The one entry point of the command line: ``python -m ablation VERB``."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ablation.support import accounting
from ablation.support.failures import is_of_the_machine, remedy
from ablation.support.references import own_place
from ablation.support.seals import write_seal
from ablation.support.wording import UserError

# Each verb is the module of its name in this folder: `add_arguments(parser)` and `main(arguments)`, which may return files
# to be sealed beside those that the command line names.
VERBS = {
    "show": "show what a variant is, layer by layer",
    "list": "list the studies, or the variants of one with what is there of each",
    "price": "say what a study costs before it is started",
    "verdict": "print what was found of the claims of a study",
    "power": "say what the claims of a study can decide with its seeds, before it is run",
    "published": "list published numbers, or hold a study against them",
    "publish": "write the page of a study from its results, and the table of all studies",
    "register": "register the claims of a study before its runs are trained",
    "check": "check a file of parts of one's own",
    "ui": "look at the runs in the MLflow UI",
    "bundle": "write one archive of a study, to give away",
    "recompute": "make the tables and verdicts of such an archive again, and compare them",
    "certify": "train a sample of a study's runs again, and say whether they come out the same",
    "scrub": "find what a disk has lost of the results, by the digest of every file",
    "prune": "free what no study wants of the stored records",
    "factors": "write the page of architectures and factors",
    "schema": "write the JSON schemas of study files, published numbers and verdicts",
    "data": "prepare the data of a study",
    "controls": "find the controls of equal size of a study",
    "plan": "write the variants of a study with their sizes",
    "layers": "write the layer tables of a study",
    "train": "train the runs of a shard",
    "measure": "measure the trained networks of a shard",
    "worker": "run the commands that jobs of this machine hand over",
    "watch": "say how far the training of a study is",
    "collect": "gather the records of a study into tables",
    "compare": "estimate the contrasts of a study, and decide on its claims",
    "tables": "write the comparison tables of a study",
    "figures": "draw the figures of a study",
    "report": "write the report of a study",
    "mirror": "mirror the records of a study to MLflow",
}
SEALED = "files that were written, and last the seal to write for them, by which the workflow finds damage"


def run(words: Sequence[str] | None = None) -> None:
    """Run a verb; what is wrong with the input is said in a sentence instead of a traceback.

    Parameters
    ----------
    words : sequence of str, optional
        The verb and its arguments; without them, those of the process.
    """
    words = list(sys.argv[1:] if words is None else words)
    verb = words[0] if words and words[0] in VERBS else None
    parser = argparse.ArgumentParser(prog="ablation", description="Ablation studies of convolutional networks.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, text in VERBS.items():
        # Only the verb that is called is imported: some need torch, or what the environment of Snakemake lacks.
        module = import_module(f"ablation.cli.{name}") if name == verb else None
        one = verbs.add_parser(
            name,
            help=text,
            description=module.__doc__ if module else text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.add_arguments(one)
            one.add_argument("--seal", type=Path, nargs="+", default=[], help=SEALED)
            one.set_defaults(main=module.main)
    arguments = parser.parse_args(words)
    begun = time.perf_counter()
    try:
        more = arguments.main(arguments)  # files that it wrote in a folder, too many to name on a command line
        if arguments.seal:
            *written, seal = arguments.seal
            write_seal(seal, [*written, *(more or [])])
    except BrokenPipeError:  # whoever read what is printed has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        sys.exit(str(error))
    except Exception as error:
        place, advice = own_place(error), remedy(error)
        if not advice and (not place or is_of_the_machine(error)):
            raise  # ours to mend, or the machine's
        said = f"{place}: {type(error).__name__}: {error}" if place else f"{type(error).__name__}: {error}"
        sys.exit(f"{said}\n{advice}" if advice else said)
    finally:
        if "--parent" not in words:  # what follows a start is no job of it
            accounting.note(words[0], time.perf_counter() - begun)
