"""The runs table of MLflow's UI that answers a study: which runs, which columns, in which order; and the link that opens it.

MLflow 3.17 keeps a view as a tag of the experiment, as its own button "Views" does, and a link names its key. Of a link that
states filter or order itself the UI ignores the view, so all of it is in the tag.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from ablation.analysis.failures import FAILURES
from ablation.study.plan import Plan
from ablation.tracking.address import LEDGER, Address
from ablation.tracking.ledger import read_head

KEY = "variants"  # of the view, in the link
TAG = f"mlflow.sharedViewState.{KEY}"
VARIANTS = "tags.level = 'variant' AND tags.superseded = 'false'"
MOST_CLAIMS = 8  # with a column each; the study's run has all verdicts
MOST_LETTERS = 40  # of a variant's name
FIXED = ["attributes.`Run Name`", "runDateAndNestInfo"]  # columns that the table always has


def columns(plan: Plan) -> list[str]:
    """Return the columns of the table, in their order, as MLflow's UI names them."""
    first, *others = plan.study.metrics
    effect = [f"effect.{first}", f"effect.{first}.low", f"effect.{first}.high"]
    spread = [f"{first}_mean.low", f"{first}_mean.high", f"{first}_sd", f"{first}_n"]
    counts = [f"{status}_runs" for status in FAILURES]
    means = [f"{other}_mean" for other in others]
    metrics = [f"metrics.`{name}`" for name in (f"{first}_mean", *effect, *spread, *counts, *means)]
    claims = [f"tags.`verdict.{claim}`" for claim in [*plan.study.claims][:MOST_CLAIMS]]
    return [*metrics[:4], *claims, *metrics[4:]]


def view(plan: Plan) -> str:
    """Return the value of the experiment's tag that holds the view: variants of the study as it stands, best first."""
    chosen = columns(plan)
    first = plan.study.metrics[0]
    state = {
        "searchFilter": VARIANTS,
        "orderByKey": f"metrics.`{first}_mean`",
        "orderByAsc": not plan.metrics[first].higher_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": chosen,
        "columnOrder": [*FIXED, *chosen],
        "columnWidths": {
            FIXED[0]: width(min(max(map(len, plan.variants)), MOST_LETTERS) + 4),  # with colour and arrow
            **{column: width(len(column.split("`")[1])) for column in chosen},
        },
    }
    return json.dumps({"name": "Variants", "createdAt": 0, "state": json.dumps(state)})


def width(letters: int) -> int:
    """Return the pixels of a column, which MLflow's own width would cut off."""
    return 8 * letters + 24


def link(public: str, experiment: str) -> str:
    """Return the address of the table: whole for a server, and for a database what follows the address of the UI.

    Parameters
    ----------
    public : str
        Of the server or the database, without secrets; or the address of a UI.
    experiment : str
        Its id.
    """
    place = public.rstrip("/") if public.startswith(("http://", "https://")) else ""
    return f"{place}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={KEY}"


def experiments(address: Address, results: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the experiment's id of each study of a folder of results that was sent to an address."""
    beside = f"/{results.resolve().name}/mlflow.db"  # the path to a folder of results may be written in several ways
    for path in sorted(results.glob(f"*/{LEDGER}")):
        uri, experiment = read_head(path)
        if experiment and (uri == address.public or (address.default and uri.endswith(beside))):
            yield path.parent.name, experiment
