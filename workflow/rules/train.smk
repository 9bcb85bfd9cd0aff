"""
Training, and what is measured on trained networks: one job is one shard: some seeds of some variants.

NEEDS: results/<study>/specs/<shard>.json
       results/<study>/data.json
GIVES: results/<study>/shards/<shard>.json, which names the records; these lie in results/store, which
       Snakemake knows nothing of and therefore never deletes
       results/<study>/measured/<shard>.json, where the study asks for such metrics
"""


rule train_shard:
    """Train the runs of a shard that the store does not have yet."""
    input:
        spec=f"{STUDY}/specs/{{shard}}.json",
        receipt=RECEIPT,
        answers=open_sizes,
        start=warm_starts,
    output:
        result=shard_result("{shard}"),
        seal=seal("train_shard/{shard}"),
    log:
        f"{STUDY}/logs/train_shard/{{shard}}.log",
    conda:
        "../../environment.yml"
    threads: config["threads"]
    resources:
        gpu=gpus,
        gres="",
        mem_mb=memory_to_train,
        runtime=minutes_to_train,
    params:
        code=training_code,
        data=shared(DATA),
        store=shared("store"),
        threads=stated_threads,
        retry=retry_option,
        at_once=runs_at_once,
        killed=words_of_a_kill,
        src=source_folder,
    # A scheduler warns all processes of a job of its end: the training alone answers, once it has saved its state.
    shell:
        r"""
        trap "" TERM USR1
        trap 'test $? != 137 || tell_of_the_kill' EXIT
        tell_of_the_kill() {{ printf '%s\n' {params.killed:q} | tee -a {log:q} >&2; }}
        PYTHONPATH={params.src:q} python -m ablation train \
            --spec {input.spec:q} \
            --answers {input.answers:q} \
            --data {params.data:q} \
            --receipt {input.receipt:q} \
            --store {params.store:q} \
            --threads {params.threads} {params.retry} \
            --at-once {params.at_once} \
            --gpus {resources.gpu} \
            --gres "{resources.gres}" \
            --result {output.result:q} \
            --seal {output:q} 2>&1 | tee {log:q} >&2
        """


if OUTLINE.measures:

    rule measure_shard:
        """Measure what needs another forward pass of a shard's trained networks."""
        input:
            result=shard_result("{shard}"),
            receipt=RECEIPT,
        output:
            measured=f"{STUDY}/measured/{{shard}}.json",
            seal=seal("measure_shard/{shard}"),
        log:
            f"{STUDY}/logs/measure_shard/{{shard}}.log",
        conda:
            "../../environment.yml"
        threads: config["threads"]
        resources:
            gpu=gpus,
            gres="",
            mem_mb=growing(2000),
            runtime=60,
        params:
            measures=json.dumps(OUTLINE.measures),
            code=measuring_code,
            data=shared(DATA),
            store=shared("store"),
            threads=stated_threads,
            src=source_folder,
        shell:
            r"""
            PYTHONPATH={params.src:q} python -m ablation measure \
                --shard {input.result:q} \
                --measures {params.measures:q} \
                --data {params.data:q} \
                --receipt {input.receipt:q} \
                --store {params.store:q} \
                --threads {params.threads} \
                --gpus {resources.gpu} \
                --gres "{resources.gres}" \
                --result {output.measured:q} \
                --seal {output:q} 2>&1 | tee {log:q} >&2
            """
