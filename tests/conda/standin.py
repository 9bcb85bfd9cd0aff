"""Stands in for conda where there is none: a real solve and a real install of an environment file, by py-rattler.

It answers what Snakemake asks of conda, and refuses the rest. The names of channels are looked up under $LOCAL_CHANNELS;
$CONDA_ROOT is the folder whose bin/activate Snakemake sources. As with conda, pip's lines are installed from a file beside
the environment's, in that folder.
"""

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import rattler
import yaml

VERSION = "24.7.1"  # the least that Snakemake takes
KEYS = {"name", "channels", "dependencies", "variables"}


async def install(specs, channels, prefix):
    """Solve and install packages of conda."""
    cache = os.environ["RATTLER_CACHE_DIR"]
    records = await rattler.solve(
        channels,
        [rattler.MatchSpec(spec, strict=True) for spec in specs],
        platforms=["linux-64", "noarch"],
        gateway=rattler.Gateway(cache_dir=cache),
        virtual_packages=rattler.VirtualPackage.detect(),
        channel_priority=rattler.ChannelPriority.Strict,
    )
    await rattler.install(records, target_prefix=prefix, cache_dir=cache, show_progress=False)


def create(arguments):
    """Create the environment of a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    for flag in ("--quiet", "--no-default-packages"):
        parser.add_argument(flag, action="store_true")
    asked = parser.parse_args(arguments)
    stated = yaml.safe_load(asked.file.read_text())
    if set(stated) - KEYS:
        sys.exit(f"unknown keys in {asked.file}: {sorted(set(stated) - KEYS)}")
    specs = [line for line in stated["dependencies"] if isinstance(line, str)]
    pip = [line for part in stated["dependencies"] if isinstance(part, dict) for line in part["pip"]]
    alias = rattler.ChannelConfig(channel_alias=f"file://{os.environ['LOCAL_CHANNELS']}/")
    asyncio.run(install(specs, [rattler.Channel(name, alias) for name in stated["channels"]], asked.prefix))
    folder = asked.file.resolve().parent
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".requirements.txt") as requirements:
        requirements.write("\n".join(pip))
        requirements.flush()
        # Python compiles what is imported, which of the packages of torch is little.
        words = ["install", "--quiet", "--no-compile", "-r", requirements.name]
        command = [asked.prefix / "bin/python", "-m", "pip", *words]
        subprocess.run(command, cwd=folder, check=True)
    variables = asked.prefix / "etc/conda/activate.d/variables.sh"
    variables.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in stated.get("variables", {}).items()]
    variables.write_text("".join(lines))


def main(arguments):
    root = os.environ["CONDA_ROOT"]
    answers = {
        ("--version",): f"conda {VERSION}",
        ("info", "--json"): json.dumps({"conda_prefix": root, "root_prefix": root, "platform": "linux-64"}),
        ("config", "--get", "channel_priority", "--json"): json.dumps({"get": {"channel_priority": "strict"}}),
    }
    if tuple(arguments) in answers:
        print(answers[tuple(arguments)])
    elif arguments[:2] == ["env", "create"]:
        create(arguments[2:])
    elif arguments[:1] != ["clean"]:
        sys.exit(f"this stand-in for conda does not know: {' '.join(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
