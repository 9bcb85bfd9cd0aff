"""Write the JSON schemas of study files, of published numbers and of verdicts, for editors and other programs."""

import argparse
import json
from pathlib import Path
from typing import Any

from ablation.analysis.outcomes import outcomes_schema
from ablation.analysis.published.ledger import ledger_schema
from ablation.study.studyfile import study_schema


def main(arguments: argparse.Namespace) -> None:
    """Write the schemas."""
    write(arguments.schema, study_schema())
    write(arguments.published, ledger_schema())
    write(arguments.verdicts, outcomes_schema())


def write(path: Path, schema: dict[str, Any]) -> None:
    """Write a schema to a file."""
    path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    schemas = Path("workflow/schemas")
    parser.add_argument("--schema", type=Path, default=schemas / "study.schema.json", help="file to write")
    parser.add_argument(
        "--published", type=Path, default=schemas / "published.schema.json", help="that of published numbers"
    )
    parser.add_argument("--verdicts", type=Path, default=schemas / "verdicts.schema.json", help="that of verdicts")
