"""One thin module a verb; the rules of the workflow call these, and so can anybody by hand."""

import argparse
import sys
from collections.abc import Callable

from ablation.sources import DataError
from ablation.study import StudyError
from ablation.studyfile import StudyFileError


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line, run, and say what is wrong with the input in a sentence instead of a traceback."""
    try:
        main(parser.parse_args())
    except (StudyFileError, StudyError, DataError) as error:
        sys.exit(str(error))
