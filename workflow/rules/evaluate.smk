"""
From records to numbers.

NEEDS: results/<study>/shards/<shard>.json and the records they name
       results/<study>/measured/<shard>.json, if anything is
GIVES: results/<study>/{runs,curves,diagnostics,classes}.parquet, examples.npy
       results/<study>/{contrasts,claims}.csv, verdicts.json
       results/<study>/tables/comparison.{csv,md,tex}, claims.{md,tex}, summary.txt, mixture.txt
"""


rule collect_records:
    """Gather the records: one row per run, per run and epoch, per diagnosed number, per class; one bit per image."""
    input:
        study=SETTLED,
        manifest=RECEIPT,
        variants=rules.plan_study.output.variants,
        shards=shard_results,
        measured=measured_results,
    output:
        runs=f"{STUDY}/runs.parquet",
        curves=f"{STUDY}/curves.parquet",
        examples=f"{STUDY}/examples.npy",
        diagnostics=f"{STUDY}/diagnostics.parquet",
        classes=f"{STUDY}/classes.parquet",
        seal=seal("collect_records"),
    log:
        f"{STUDY}/logs/collect_records.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        store=shared("store"),
        code=collection_code,
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation collect \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --variants {input.variants:q} \
            --store {params.store:q} \
            --shards {input.shards:q} \
            --measured {input.measured:q} \
            --runs {output.runs:q} \
            --curves {output.curves:q} \
            --examples {output.examples:q} \
            --diagnostics {output.diagnostics:q} \
            --classes {output.classes:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule compare_variants:
    """Estimate every contrast of the study, and decide on its claims."""
    input:
        study=SETTLED,
        runs=rules.collect_records.output.runs,
        examples=rules.collect_records.output.examples,
    output:
        contrasts=f"{STUDY}/contrasts.csv",
        claims=f"{STUDY}/claims.csv",
        verdicts=f"{STUDY}/verdicts.json",
        seal=seal("compare_variants"),
    log:
        f"{STUDY}/logs/compare_variants.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        code=code_of("cli.compare:main"),
        src=source_folder,
        registered=lambda wildcards, output: Path(output.verdicts).parent,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation compare \
            --study {input.study:q} \
            --runs {input.runs:q} \
            --examples {input.examples:q} \
            --registered {params.registered:q} \
            --contrasts {output.contrasts:q} \
            --claims {output.claims:q} \
            --verdicts {output.verdicts:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule write_tables:
    """Write the comparison and the verdicts for machines, for people and for the terminal."""
    input:
        study=SETTLED,
        runs=rules.collect_records.output.runs,
        contrasts=rules.compare_variants.output.contrasts,
        verdicts=rules.compare_variants.output.verdicts,
    output:
        csv=report(
            f"{STUDY}/tables/comparison.csv",
            caption="../report/comparison.rst",
            category="Tables",
            labels={"table": "comparison", "study": OUTLINE.name},
        ),
        markdown=f"{STUDY}/tables/comparison.md",
        latex=f"{STUDY}/tables/comparison.tex",
        claims_markdown=f"{STUDY}/tables/claims.md",
        claims_latex=f"{STUDY}/tables/claims.tex",
        summary=f"{STUDY}/tables/summary.txt",
        mixture=MIXTURE,
        seal=seal("write_tables"),
    log:
        f"{STUDY}/logs/write_tables.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=code_of("cli.tables:main"),
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation tables \
            --study {input.study:q} \
            --runs {input.runs:q} \
            --contrasts {input.contrasts:q} \
            --verdicts {input.verdicts:q} \
            --csv {output.csv:q} \
            --markdown {output.markdown:q} \
            --latex {output.latex:q} \
            --claims-markdown {output.claims_markdown:q} \
            --claims-latex {output.claims_latex:q} \
            --summary {output.summary:q} \
            --mixture {output.mixture:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """
