"""The settings of the workflow: what --config, config/config.yaml and profiles may set, checked against their schema."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablation.support.wording import UserError

WHERE = "--config, config/config.yaml or a profile"


class SettingsError(UserError):
    """Settings that cannot be used: a sentence each, with the key, what was found and what is allowed."""


def complete(settings: dict[str, Any], schema: Path) -> None:
    """Check settings against their JSON schema, and set the defaults that it states.

    Parameters
    ----------
    settings : dict
        Changed in place.
    schema : Path
        YAML.

    Raises
    ------
    SettingsError
        With all that is wrong.
    """
    import jsonschema
    import yaml

    stated = yaml.safe_load(schema.read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(stated).iter_errors(settings)
    sentences = [sentence for error in errors for sentence in _sentences(error, stated["properties"])]
    if sentences:
        raise SettingsError("\n".join(sentences))
    for key, rule in stated["properties"].items():
        if "default" in rule:
            settings.setdefault(key, rule["default"])


def threads_note(threads: int, cores: int | None, asked: Mapping[str, Any]) -> str:
    """Say which number of threads a training takes where somebody may expect another one; empty if nobody does.

    Parameters
    ----------
    threads : int
        The setting.
    cores : int or None
        Those that Snakemake was given; None where jobs run elsewhere.
    asked : mapping of str to any
        ``--set-threads``, by rule.
    """
    given = [f"--set-threads {rule}={number}" for rule, number in asked.items() if rule.endswith("_shard")]
    given += [f"--cores {cores}"] if cores and cores < threads else []
    if not given:
        return ""
    return (
        f"each training computes with {threads} processor threads, as the setting threads says, and not as "
        f"{' and '.join(given)}: another number would give other bits; --config threads=N sets it"
    )


def _sentences(error: Any, properties: Mapping[str, Any]) -> list[str]:
    """Say an error of jsonschema as what was found and what is allowed."""
    if error.validator == "additionalProperties":
        unknown = [key for key in error.instance if key not in properties]
        return [_unknown(str(key), list(properties)) for key in unknown]
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return [f"{key}: this key is missing ({WHERE}); expected {expected(properties[key])}" for key in missing]
    key = str(error.absolute_path[0])
    found = "nothing" if error.instance in (None, "") else json.dumps(error.instance, ensure_ascii=False, default=str)
    return [f"{key}: found {found}, expected {expected(properties[key])}"]


def _unknown(key: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{key}: unknown key of {WHERE}{hint}; allowed: {', '.join(allowed)}"


def expected(rule: Mapping[str, Any]) -> str:
    """Say what the schema of one key allows, with its description."""
    kind = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a word"}
    choices = dict.fromkeys(str(choice).lower() for choice in rule.get("enum", []))
    words = " or ".join(choices) if choices else kind.get(rule.get("type"), "another value")
    least, most = rule.get("minimum"), rule.get("maximum")
    if "exclusiveMinimum" in rule:
        words += f" of more than {rule['exclusiveMinimum']}"
    if least is not None and most is not None:
        words += f" from {least} to {most}"
    elif least is not None:
        words += f" of at least {least}"
    elif most is not None:
        words += f" of at most {most}"
    return f"{words}: {rule['description'].rstrip('.')}" if "description" in rule else words


def check_folder(key: str, folder: Path) -> None:
    """Refuse a setting that names a folder which is, or lies below, something else.

    Raises
    ------
    SettingsError
    """
    for path in (folder, *folder.parents):
        if path.is_dir():
            return
        if path.exists() or path.is_symlink():
            what = "file" if path.exists() else "link to nothing,"
            raise SettingsError(f"{key}: found the {what} {path}, expected a folder or the name of a new one")
