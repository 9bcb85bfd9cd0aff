#!/usr/bin/env bash
# Runs in the new environment, from the working directory: relative paths in environment.yml would not find the project.
set -euo pipefail
python -m pip install --no-deps --editable .
