#!/bin/sh
# Sets everything up from the lock and does one thing. Needs Python 3.11 or newer with pip, and git; nothing else.
set -eu
cd "$(dirname "$0")"

usage() {
    cat <<'TEXT'
./do study [NAME|FILE] [SNAKEMAKE OPTIONS]  run a study (config/studies/digits.yaml if none is named)
./do study NAME --retry-failed              and train those runs again that are recorded as failed
./do show ARCHITECTURE | STUDY VARIANT      what a variant is, layer by layer (./do show --help)
./do list [STUDY]                           the studies, or the variants of one with what is there of each
./do power STUDY                            the smallest effects that its claims can detect with its seeds
./do price STUDY                            what a study costs here: hours, memory, disk (./do price --help)
./do ablation certify STUDY                 train some of its runs again, and say whether they come out the same
./do ablation bundle STUDY                  write one archive of it, to give away (an RO-Crate)
./do ablation recompute ARCHIVE             make the tables and verdicts of such an archive again, without training
./do ablation scrub [STUDY]                 find what a disk has lost of the results, by the digest of every file
./do ablation verdict STUDY [--require …]   what was found of its claims; an error where it is not what is required
./do ablation publish [STUDY ...]           write docs/studies/STUDY.md from its results, and the README's table
./do ablation published [STUDY]             published numbers, and a study held against them
./do ablation VERB ...                      any command of the package, such as: ./do ablation check my_parts.py
./do test [PYTEST OPTIONS]                  pass the tests
./do check                                  format and lint of Python and of the workflow, without changing anything
./do format                                 format everything
./do schema                                 write the JSON schemas of study files, published numbers and verdicts
./do factors                                write docs/factors.md, the page of architectures and factors
./do mlflow [PORT] [--results FOLDER]       look at the runs in the MLflow UI, on this machine alone (./do mlflow --help)
./do setup [GROUP ...]                      set up .venv and nothing more; with groups of pyproject.toml, such as slurm
TEXT
}

# uv, wherever it is: on the PATH, or installed here, beside the project and not into anybody's Python.
find_uv() {
    if command -v uv >/dev/null 2>&1; then
        echo uv
        return
    fi
    if [ ! -x .uv/bin/uv ]; then
        python=$(command -v python3 || command -v python) || { echo "do: no python3 found" >&2; exit 1; }
        echo "do: installing uv into .uv" >&2
        "$python" -m pip install --quiet --target .uv uv >&2
    fi
    echo .uv/bin/uv
}

verb=${1:-help}
[ $# -gt 0 ] && shift
case $verb in
    study | show | list | price | power | ablation | test | check | format | schema | factors | mlflow | setup) ;;
    help | -h | --help) usage; exit 0 ;;
    *) echo "do: no such verb: $verb" >&2; usage >&2; exit 2 ;;
esac

# Whatever environment happens to be active is not the project's.
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME || true
uv=$(find_uv)
if [ ! -d .venv ]; then echo "do: setting up .venv from uv.lock (torch is large: this takes minutes on a slow line)" >&2; fi
groups=
if [ "$verb" = setup ]; then for group in "$@"; do groups="$groups --group $group"; done; fi
# Inexact: what was set up before for another purpose, such as the plug-in for Slurm, stays.
# shellcheck disable=SC2086 # one word each
"$uv" sync --locked --inexact --quiet $groups
PATH="$PWD/.venv/bin:$PATH"
export PATH

case $verb in
    study)
        study=digits
        case ${1:-} in '' | -*) ;; *) study=$1; shift ;; esac
        retry=
        for word in "$@"; do # each goes back to the end, but for the option that is ours
            shift
            case $word in --retry-failed) retry=yes ;; *) set -- "$@" "$word" ;; esac
        done
        # Snakemake heeds the last --config alone: one that is given takes ours in.
        given=false
        for word in "$@"; do
            shift
            set -- "$@" "$word"
            case $word in
                --config | -C) given=true; set -- "$@" "study=$study" ${retry:+retry_failed=true} ;;
            esac
        done
        $given || set -- "$@" --config "study=$study" ${retry:+retry_failed=true}
        exec snakemake --cores all "$@"
        ;;
    show) exec python -m ablation show "$@" ;;
    list) exec python -m ablation list "$@" ;;
    price | power) exec python -m ablation "$verb" "$@" ;;
    ablation) exec python -m ablation "$@" ;;
    test)
        # All of them on all cores; a single file is faster in one process.
        if [ $# -eq 0 ]; then set -- --numprocesses auto --dist worksteal; fi
        exec python -m pytest "$@"
        ;;
    check)
        ruff format --check .
        ruff check .
        snakefmt --check Snakefile workflow
        snakemake --lint
        ;;
    format)
        ruff check --fix-only --quiet .
        ruff format .
        snakefmt Snakefile workflow
        ;;
    schema) exec python -m ablation schema ;;
    factors) exec python -m ablation factors ;;
    mlflow) exec python -m ablation ui "$@" ;;
    setup) echo "do: .venv is ready: . .venv/bin/activate" >&2 ;;
esac
