"""Verdicts of claims."""

import json
from pathlib import Path
from typing import Any

SUPPORTED, REFUTED, EQUIVALENT, UNDECIDED = "supported", "refuted", "equivalent", "undecided"
NOT_TESTABLE = "not testable"
VERDICTS = (SUPPORTED, REFUTED, EQUIVALENT, UNDECIDED, NOT_TESTABLE)


def read_verdicts(path: Path) -> dict[str, Any]:
    """Read `verdicts.json`."""
    return json.loads(path.read_text(encoding="utf-8"))
