"""
What comes before training: the data, the plan and the frozen specs.

NEEDS: the study file
GIVES: results/<study>/plan/<study>.json
       results/data/<data>/manifest.json (with the arrays beside it)
       results/<study>/plan/variants.csv
       results/<study>/plan/layers.csv, plan/layers/<variant>.md
       results/<study>/specs/<variant>/<shard>.json
"""


rule prepare_data:
    """Read the data set once, split it, and write it as arrays with a digest."""
    output:
        manifest=f"{DATA}/manifest.json",
    log:
        f"{STUDY}/logs/prepare_data.log",
    conda:
        "../../environment.yml"
    params:
        spec=DATA_SPEC,
        code=data_code,
        folder=data_folder,
    shell:
        r"""
        python -m ablation.commands.data \
            --spec {params.spec:q} \
            --folder "$(dirname {output.manifest:q})" 2>&1 | tee {log:q} >&2
        """


rule plan_study:
    """Write every variant with its levels, its sizes and the price of its training."""
    input:
        study=f"{STUDY}/plan/{PLAN.name}.json",
        manifest=f"{DATA}/manifest.json",
    output:
        variants=report(
            f"{STUDY}/plan/variants.csv",
            caption="../report/variants.rst",
            category="Plan",
            labels={"table": "variants", "study": PLAN.name},
        ),
    log:
        f"{STUDY}/logs/plan_study.log",
    priority: 1  # the price is worth knowing before the training begins
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=network_code("commands.plan"),
    shell:
        r"""
        python -m ablation.commands.plan \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --variants {output.variants:q} 2>&1 | tee {log:q} >&2
        """


rule list_layers:
    """Write what every variant is, layer by layer, and its difference from the baseline."""
    input:
        study=f"{STUDY}/plan/{PLAN.name}.json",
        manifest=f"{DATA}/manifest.json",
    output:
        layers=report(
            f"{STUDY}/plan/layers.csv",
            caption="../report/layers.rst",
            category="Plan",
            labels={"table": "layers", "study": PLAN.name},
        ),
        pages=[f"{STUDY}/plan/layers/{variant}.md" for variant in PLAN.variants],
    log:
        f"{STUDY}/logs/list_layers.log",
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=network_code("commands.layers"),
    shell:
        r"""
        python -m ablation.commands.layers \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --layers {output.layers:q} \
            --folder "$(dirname {output.pages[0]:q})" 2>&1 | tee {log:q} >&2
        """


rule freeze_study:
    """Write the validated study that all later jobs read: editing the file in the meantime disturbs none."""
    output:
        study=f"{STUDY}/plan/{PLAN.name}.json",
    log:
        f"{STUDY}/logs/freeze_study.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        study=frozen_study,
    shell:
        "printf '%s\\n' {params.study:q} > {output.study:q} 2> {log:q}"


rule freeze_spec:
    """Write all that determines the runs of a shard."""
    output:
        spec=f"{STUDY}/specs/{{variant}}/{{shard}}.json",
    log:
        f"{STUDY}/logs/freeze_spec/{{variant}}/{{shard}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        spec=frozen_spec,
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec:q} 2> {log:q}"
