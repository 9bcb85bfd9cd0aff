"""What the workflow has to know of a study to lay out its jobs.

A job on a cluster starts Snakemake anew, which reads the workflow anew. It finds the outline that the start wrote, so that
it neither waits for the study to be validated and expanded again nor sees a file that was edited in the meantime. Imports
the standard library alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.study.plan import Plan


@dataclass(frozen=True)
class Outline:
    """The files of a study and what depends on what.

    Attributes
    ----------
    name, title : str
    data : dict
        The study's part ``data``.
    data_folder : str
        Name of the folder of the prepared data, which studies of the same data share.
    runs, seeds : int
        How many.
    variants : dict of str to str
        Each variant with the one whose weights its runs start from; empty for a fresh start.
    controls : list of str
        The variants whose runs need the answer to a question about equal sizes.
    shards : list of list of int
        The seeds of each shard, the same for every variant.
    figures : list of str
    measures : dict of str to str
        The metrics that are measured on the trained networks, in jobs of their own, with the code that measures them.
    """

    name: str
    title: str
    data: dict[str, Any]
    data_folder: str
    runs: int
    seeds: int
    variants: dict[str, str]
    controls: list[str]
    shards: list[list[int]]
    figures: list[str]
    measures: dict[str, str]

    @classmethod
    def of(cls, plan: "Plan", shard_size: int, figures: list[str]) -> "Outline":
        """Outline a plan with its figures (`ablation.report.figures.table.figures_of`), in shards of `shard_size` seeds."""
        starts = {
            variant: "" if (source := plan.variants[variant].levels["warm_start"]) == "none" else source
            for variant in plan.variants
        }
        unsettled = []
        for variant in plan.variants:  # a run that starts from a control's weights names the control in its own spec
            chain = variant
            while chain and not plan.variants[chain].control:
                chain = starts[chain]
            if chain:
                unsettled.append(variant)
        return cls(
            name=plan.name,
            title=plan.study.title,
            data=plan.study.data.model_dump(),
            data_folder=plan.data_folder,
            runs=plan.runs,
            seeds=len(plan.study.seeds),
            variants=starts,
            controls=unsettled,
            shards=plan.shards(shard_size),
            figures=figures,
            measures=plan.measures,
        )

    @classmethod
    def read(cls, path: Path) -> "Outline":
        """Read what `text` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def text(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self), indent=1)
