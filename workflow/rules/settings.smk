"""
The code that the rules call, and the settings.

NEEDS: config
GIVES: CHECKOUT, SOURCE, MODIFIER, refuse, tell, stated_threads; the package `ablation` for what follows; valid settings, with their defaults
"""

import sys
from pathlib import Path


def refuse(sentence):
    """End this process with a sentence and nothing else: an exception would be shown with file and line of a rule."""
    sys.exit(str(sentence))


def tell(text):
    """Say something on the terminal, if there is something to say."""
    if text:
        print(text, file=sys.stderr, flush=True)


# The checkout that these rules lie in, wherever they are used from: its code runs, whatever is installed.
RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).resolve()
CHECKOUT = RULES.parents[1]
SOURCE = str(CHECKOUT / "src")
if not Path(SOURCE).is_dir():
    refuse(
        f"found no folder {SOURCE}: the rules call the package that lies beside them. Clone the repository, and name the "
        "Snakefile of the clone (snakefile: in a module, or --snakefile) instead of one at a Git host."
    )
sys.path.insert(0, SOURCE)

from ablation.jobs.settings import SettingsError, complete, check_folder, threads_note

try:
    complete(config, CHECKOUT / "workflow/schemas/config.schema.yaml")
    # It knows the prefix of a module; when a parameter is computed, the workflow has the modifier of the main Snakefile.
    MODIFIER = workflow.modifier
    check_folder("results", Path(str(MODIFIER.modify_path(config["results"]))))
except SettingsError as error:
    refuse(error)

if workflow.is_main_process:
    given = workflow.resource_settings
    tell(threads_note(config["threads"], given.cores, given.overwrite_threads))


def stated_threads(wildcards, output):
    """Return the threads of a training as the profile states them: Snakemake lowers {threads} to the cores that it has,
    and with them the bits would change; going by the output, it makes nothing stale."""
    return config["threads"]
