"""
What people look at: figures, the report and MLflow.

NEEDS: the tables of evaluate.smk and prepare.smk
GIVES: results/<study>/figures/*.{svg,png}
       results/<study>/report.html
       results/<study>/mlflow.json (the receipt of a complete mirror)
"""


rule draw_figures:
    """Draw the figures that the study has."""
    input:
        study=SETTLED,
        runs=rules.collect_records.output.runs,
        curves=rules.collect_records.output.curves,
        diagnostics=rules.collect_records.output.diagnostics,
        classes=rules.collect_records.output.classes,
        contrasts=rules.compare_variants.output.contrasts,
        verdicts=rules.compare_variants.output.verdicts,
        comparison=rules.write_tables.output.csv,
        layers=rules.list_layers.output.layers,
    output:
        svg=[figure(name) for name in OUTLINE.figures],
        png=[f"{STUDY}/figures/{name}.png" for name in OUTLINE.figures],
        seal=seal("draw_figures"),
    log:
        f"{STUDY}/logs/draw_figures.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=figure_code,
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation figures \
            --study {input.study:q} \
            --runs {input.runs:q} \
            --curves {input.curves:q} \
            --diagnostics {input.diagnostics:q} \
            --classes {input.classes:q} \
            --contrasts {input.contrasts:q} \
            --verdicts {input.verdicts:q} \
            --comparison {input.comparison:q} \
            --layers {input.layers:q} \
            --folder "$(dirname {output.svg[0]:q})" \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule write_report:
    """Put the question, the findings, tables, figures and provenance on one page."""
    input:
        study=SETTLED,
        manifest=RECEIPT,
        runs=rules.collect_records.output.runs,
        curves=rules.collect_records.output.curves,
        diagnostics=rules.collect_records.output.diagnostics,
        classes=rules.collect_records.output.classes,
        contrasts=rules.compare_variants.output.contrasts,
        verdicts=rules.compare_variants.output.verdicts,
        comparison=rules.write_tables.output.csv,
        layers=rules.list_layers.output.layers,
        figures=rules.draw_figures.output.svg,
        certificate=certificate,
    output:
        report=report(
            f"{STUDY}/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "report", "study": OUTLINE.name},
        ),
        seal=seal("write_report"),
    log:
        f"{STUDY}/logs/write_report.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=report_code,
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation report \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --runs {input.runs:q} \
            --curves {input.curves:q} \
            --diagnostics {input.diagnostics:q} \
            --classes {input.classes:q} \
            --contrasts {input.contrasts:q} \
            --verdicts {input.verdicts:q} \
            --comparison {input.comparison:q} \
            --layers {input.layers:q} \
            --figures "$(dirname {input.figures[0]:q})" \
            --costs "$(dirname {output.report:q})/start/costs.jsonl" \
            --certificate {input.certificate:q} \
            --report {output.report:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule mirror_records:
    """Complete the mirror in MLflow; one that cannot be reached is tried again at the next start."""
    input:
        study=SETTLED,
        manifest=RECEIPT,
        variants=rules.plan_study.output.variants,
        runs=rules.collect_records.output.runs,
        examples=rules.collect_records.output.examples,
        layers=rules.list_layers.output.pages,
        comparison=rules.write_tables.output.csv,
        verdicts=rules.compare_variants.output.verdicts,
        artifacts=[
            rules.write_tables.output.markdown,
            *rules.draw_figures.output.png,
            rules.write_report.output.report,
        ],
    output:
        receipt=MIRRORED,
        seal=seal("mirror_records"),
    log:
        f"{STUDY}/logs/mirror_records.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        store=shared("store"),
        code=code_of("cli.mirror:main"),
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation mirror \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --variants {input.variants:q} \
            --store {params.store:q} \
            --runs {input.runs:q} \
            --examples {input.examples:q} \
            --comparison {input.comparison:q} \
            --verdicts {input.verdicts:q} \
            --artifacts {input.artifacts:q} \
            --layers "$(dirname {input.layers[0]:q})" \
            --receipt {output.receipt:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """
