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
    variants : list of str
    shards : dict of str to dict of str to list of int
        The seeds of the variants in each shard, by its name (`ablation.jobs.cutting.cut`).
    starts : dict of str to list of str
        The shards whose runs some run of a shard starts from; only of shards that have such runs.
    controls : list of str
        The shards whose runs need the answer to a question about equal sizes.
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
    variants: list[str]
    shards: dict[str, dict[str, list[int]]]
    starts: dict[str, list[str]]
    controls: list[str]
    figures: list[str]
    measures: dict[str, str]

    @classmethod
    def of(cls, plan: "Plan", shards: dict[str, dict[str, list[int]]], figures: list[str]) -> "Outline":
        """Outline a plan with its shards and its figures (`ablation.report.figures.table.figures_of`)."""
        home = {(variant, seed): name for name in shards for variant in shards[name] for seed in shards[name][variant]}
        sources = {
            name: {home[source, seed]: None for one in shard for source in plan.starts(one)[:1] for seed in shard[one]}
            for name, shard in shards.items()
        }
        unsettled = set(plan.unsettled)
        return cls(
            name=plan.name,
            title=plan.study.title,
            data=plan.study.data.model_dump(),
            data_folder=plan.data_folder,
            runs=plan.runs,
            seeds=len(plan.study.seeds),
            variants=list(plan.variants),
            shards=shards,
            starts={name: list(those) for name, those in sources.items() if those},
            controls=[name for name, shard in shards.items() if not unsettled.isdisjoint(shard)],
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
