"""
What comes before training: the data, the plan and the frozen specs.

NEEDS: the study file
GIVES: results/<study>/data.json, the receipt of arrays that lie in results/data, where studies share them
       results/<study>/plan/<study>.json
       results/<study>/plan/variants.csv, plan/unmeasured.json (variants that have no sizes, and why)
       results/<study>/plan/layers.csv, plan/layers/<variant>.md
       results/<study>/specs/<shard>.json
"""


rule prepare_data:
    """Read the data set once, split it, and write it as arrays with a digest, unless another study has done so."""
    input:
        remake_what_is_lost,
    output:
        receipt=RECEIPT,
        seal=seal("prepare_data"),
    log:
        f"{STUDY}/logs/prepare_data.log",
    localrule: True  # a data set may have to be fetched, and compute nodes may reach nothing
    conda:
        "../../environment.yml"
    params:
        spec=DATA_SPEC,
        source=data_source,
        origin=data_origin,
        folder=shared(DATA),
        downloads=shared("downloads"),
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation data \
            --spec {params.spec:q} \
            --source {params.source:q} \
            --made-with {params.origin:q} \
            --downloads {params.downloads:q} \
            --folder {params.folder:q} \
            --receipt {output.receipt:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule freeze_study:
    """Write the validated study that all later jobs read: editing its file in the meantime disturbs none. (The
    tables of parts of one's own are read again.)"""
    output:
        study=STATED if OUTLINE.controls else SETTLED,
    log:
        f"{STUDY}/logs/freeze_study.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        study=frozen_study,
    shell:
        "printf '%s\\n' {params.study:q} > {output.study:q} 2> {log:q}"


if OUTLINE.controls:

    rule find_controls:
        """Find the controls of equal size that the study asks for."""
        input:
            study=STATED,
            manifest=RECEIPT,
        output:
            answers=ANSWERS,
            study=SETTLED,
            seal=seal("find_controls"),
        log:
            f"{STUDY}/logs/find_controls.log",
        localrule: True
        conda:
            "../../environment.yml"
        params:
            code=network_code("cli.controls:main", "networks.matching:match"),
            kept=shared("controls.json"),
            src=source_folder,
        shell:
            r"""
            PYTHONPATH={params.src:q} python -m ablation controls \
                --study {input.study:q} \
                --manifest {input.manifest:q} \
                --kept {params.kept:q} \
                --answers {output.answers:q} \
                --settled {output.study:q} \
                --seal {output:q} 2>&1 | tee {log:q} >&2
            """


rule plan_study:
    """Write every variant with its levels, its sizes and the price of its training."""
    input:
        study=SETTLED,
        manifest=RECEIPT,
    output:
        variants=report(
            f"{STUDY}/plan/variants.csv",
            caption="../report/variants.rst",
            category="Plan",
            labels={"table": "variants", "study": OUTLINE.name},
        ),
        unmeasured=UNMEASURED,
        seal=seal("plan_study"),
    log:
        f"{STUDY}/logs/plan_study.log",
    priority: 1  # the price is worth knowing before the training begins
    localrule: True
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=network_code("cli.plan:main"),
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation plan \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --variants {output.variants:q} \
            --unmeasured {output.unmeasured:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


rule list_layers:
    """Write what every variant is, layer by layer, and its difference from the baseline."""
    input:
        study=SETTLED,
        manifest=RECEIPT,
        unmeasured=rules.plan_study.output.unmeasured,
    output:
        layers=report(
            f"{STUDY}/plan/layers.csv",
            caption="../report/layers.rst",
            category="Plan",
            labels={"table": "layers", "study": OUTLINE.name},
        ),
        pages=[f"{STUDY}/plan/layers/{variant}.md" for variant in OUTLINE.variants],
        seal=seal("list_layers"),
    log:
        f"{STUDY}/logs/list_layers.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        size=study_size,
        code=network_code("cli.layers:main"),
        src=source_folder,
    shell:
        r"""
        PYTHONPATH={params.src:q} python -m ablation layers \
            --study {input.study:q} \
            --manifest {input.manifest:q} \
            --layers {output.layers:q} \
            --folder "$(dirname {output.pages[0]:q})" \
            --seal {output.layers:q} {output.seal:q} 2>&1 | tee {log:q} >&2
        """


rule freeze_spec:
    """Write all that determines the runs of a shard."""
    output:
        spec=f"{STUDY}/specs/{{shard}}.json",
    log:
        f"{STUDY}/logs/freeze_spec/{{shard}}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        spec=frozen_spec,
    shell:
        "printf '%s\\n' {params.spec:q} > {output.spec:q} 2> {log:q}"
