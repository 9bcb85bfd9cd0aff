from snakemake.utils import min_version

min_version("9.19")


# That of the working directory, if it has one; else that of the checkout.
configfile:
    "config/config.yaml"
    if exists("config/config.yaml")
    else f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/settings.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/failed.smk"
include: "workflow/rules/lock.smk"
include: "workflow/rules/hooks.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/lost.smk"


rule all:
    """Everything that a study ends in."""
    default_target: True
    input:
        final_outputs,
    localrule: True
