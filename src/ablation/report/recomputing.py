"""How each number of the page is computed again: the file that holds it, and the command that makes it."""

from ablation.study.plan import Plan

# what, files of a study's results, and the rule that makes them
MADE = (
    ("verdicts, their intervals, p values and seeds needed", "verdicts.json, claims.csv", "compare_variants"),
    ("effects of all variants, rates of failure", "contrasts.csv", "compare_variants"),
    ("means, standard deviations, sizes, training times", "tables/comparison.csv", "write_tables"),
    ("every run: its metrics, status, cost and versions", "runs.parquet", "collect_records"),
    ("every epoch of every run", "curves.parquet", "collect_records"),
    ("whether each run knew each test image; accuracy by class", "examples.npy, classes.parquet", "collect_records"),
    ("gradients, saturation, weights by source", "diagnostics.parquet", "collect_records"),
    ("figures", "figures/*.svg, figures/*.png", "draw_figures"),
    ("layer tables, parameters, multiply-adds", "plan/layers.csv, plan/layers/", "list_layers"),
    ("this page", "report.html", "write_report"),
)
ASKED = (
    ("all of it in one archive, to be computed again elsewhere", "{}.zip", "./do ablation bundle {}"),
    ("published numbers and how the runs stand to them", "runs.parquet, curves.parquet", "./do ablation published {}"),
    ("when each claim was registered", "registered.jsonl", "./do ablation register {}"),
    ("whether runs come out the same when they are trained again", "certificate.json", "./do ablation certify {}"),
    ("whether every file is as it was written", "seals/", "./do ablation scrub {} --report-only"),
)


def recompute_rows(plan: Plan) -> list[dict[str, str]]:
    """List what the page shows with the file that holds it and the command that makes it again."""
    rows = [(what, files, f"./do study {plan.name} --forcerun {rule}") for what, files, rule in MADE]
    rows += [(what, files.format(plan.name), command.format(plan.name)) for what, files, command in ASKED]
    return [dict(zip(("what", "files", "command"), row, strict=True)) for row in rows]
