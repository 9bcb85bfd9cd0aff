"""The certificate of a study: what became of a sample of its runs that were trained again, and in words for its report.

The workflow reads this, too: imports no numpy.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ablation.support.digests import digest
from ablation.support.files import write_whole
from ablation.support.formatting import plural
from ablation.support.wording import UserError

EQUAL, CONSISTENT, UNJUDGED, DIFFERENT = OUTCOMES = ("bitwise equal", "consistent", "not judged", "different")
FILE = "certificate.json"  # in the folder of a study's results
ENTRIES = ("study", "date", "revision", "environment", "sample", "runs")
RUN = ("variant", "seed", "key", "status", "outcome", "why", "epoch")  # entries of each run


class CertificateError(UserError):
    """A certificate is not what was written; the message says which file."""


def write_certificate(path: Path, certificate: Mapping[str, Any]) -> None:
    """Write a certificate with a seal of its content.

    Parameters
    ----------
    path : Path
    certificate : mapping
        The `ENTRIES`: the study's name, the date (ISO 8601), the revision of the source, the environment of the second
        training, the sample (``asked``, ``seed``, and ``of``: the runs that the study has), and per run `RUN`.
    """
    with write_whole(path) as file:
        file.write(json.dumps({**certificate, "seal": digest(certificate)}, indent=1).encode())


def read_certificate(path: Path) -> dict[str, Any]:
    """Read what `write_certificate` wrote; raises CertificateError."""
    try:
        content = json.loads(path.read_bytes())
        if content.pop("seal") != digest(content) or not all(name in content for name in ENTRIES):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CertificateError(
            f"{path}: not the certificate that was written; delete it, or have ablation certify write another one"
        ) from None
    return content


def counted(certificate: Mapping[str, Any]) -> str:
    """Count the outcomes: 2 bitwise equal, 1 different."""
    outcomes = Counter(run["outcome"] for run in certificate["runs"])
    return ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in OUTCOMES if outcomes[outcome])


def said(certificate: Mapping[str, Any], keys: Collection[str]) -> list[str]:
    """Say what a certificate shows: a sentence, and one for each run that is not bitwise equal.

    Parameters
    ----------
    certificate : mapping
    keys : collection of str
        Of the runs that the study has today.
    """
    runs, machine = certificate["runs"], certificate["environment"]
    gone = sum(run["key"] not in keys for run in runs)
    where = f"{machine['device']}, {machine['processor']}, torch {machine['torch']}"
    first = (
        f"{plural(len(runs), 'run')} of {certificate['sample']['of']} trained again on {certificate['date'][:10]} "
        f"(seed of the sample {certificate['sample']['seed']}; revision {certificate['revision'] or 'unknown'}; {where}): "
        f"{counted(certificate)}"
    )
    if gone:
        first += f". {gone} of them the study has no more"
    rest = [run for run in runs if run["outcome"] != EQUAL]
    return [first, *(f"{run['variant']}, seed {run['seed']}: {run['outcome']}: {run['why']}" for run in rest)]


def has_different(certificate: Mapping[str, Any]) -> bool:
    """Say whether a run was different when it was trained again."""
    return any(run["outcome"] == DIFFERENT for run in certificate["runs"])
