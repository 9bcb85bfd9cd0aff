"""Write the JSON schema of a study file, for editors."""

import argparse
import json
from pathlib import Path

from ablation.study.studyfile import study_schema


def main(arguments: argparse.Namespace) -> None:
    """Write the schema."""
    arguments.schema.write_text(json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--schema", type=Path, default=Path("workflow/schemas/study.schema.json"), help="file to write")
