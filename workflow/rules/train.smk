"""
Training: one job is one variant and one shard of its seeds.

NEEDS: results/<study>/specs/<variant>/<shard>.json
       results/data/<data>/manifest.json
GIVES: results/<study>/shards/<variant>/<shard>.json, which names the records; these lie in results/store, which
       Snakemake knows nothing of and therefore never deletes
"""


rule train_shard:
    """Train the runs of a shard that the store does not have yet."""
    input:
        spec=f"{STUDY}/specs/{{variant}}/{{shard}}.json",
        manifest=f"{DATA}/manifest.json",
        start=warm_starts,
    output:
        result=f"{STUDY}/shards/{{variant}}/{{shard}}.json",
    log:
        f"{STUDY}/logs/train_shard/{{variant}}/{{shard}}.log",
    benchmark:
        f"{STUDY}/benchmarks/train_shard/{{variant}}/{{shard}}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpus,
        mem_mb=2000,
    params:
        store=STORE,
        code=training_code,
    shell:
        r"""
        python -m ablation.commands.train \
            --spec {input.spec:q} \
            --data "$(dirname {input.manifest:q})" \
            --store {params.store:q} \
            --threads {threads} \
            --gpus {resources.gpu} \
            --result {output.result:q} 2>&1 | tee {log:q} >&2
        """
