"""Write the JSON schema of a study file, for editors."""

import argparse
import json
from pathlib import Path

from ablation.commands import run
from ablation.studyfile import study_schema


def main(arguments: argparse.Namespace) -> None:
    """Write the schema."""
    arguments.schema.write_text(json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schema", type=Path, default=Path("workflow/schemas/study.schema.json"), help="file to write")
    run(main, parser)
