"""What pydantic finds wrong, said in our words: what was found and what was expected."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from ablation.support.wording import listed, nearest, shown

# By the kind of an error: what was expected; the braces are filled with what pydantic knows of it.
EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), "a mapping (key: value)"
    ),
    "missing": "more entries",  # of a list of fixed length; a key that is missing is told elsewhere
    "none_required": "nothing",
    "finite_number": "a finite number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
    **dict.fromkeys(("string_too_short", "string_pattern_mismatch"), "text that is not blank"),
    **dict.fromkeys(("too_long", "string_too_long"), "{max_length} or fewer"),
}


def wanted(expected: str) -> PydanticCustomError:
    """Make the error of a value in whose place something else was expected."""
    return PydanticCustomError("wanted", "{text}", {"text": expected})


def contradiction(sentence: str) -> PydanticCustomError:
    """Make the error of values that each are right and do not fit together."""
    return PydanticCustomError("contradiction", "{text}", {"text": sentence})


def expected(detail: Mapping[str, Any]) -> str:
    """Say what was expected where pydantic found an error."""
    context = {
        name: f"{value:,}" if isinstance(value, int) else f"{value:,g}" if isinstance(value, float) else value
        for name, value in detail.get("ctx", {}).items()
    }
    if detail["type"] == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        return f"{listed(allowed)}{nearest(detail['input'], allowed)}"
    if detail["type"] in ("wanted", "contradiction"):
        return context["text"]
    if detail["type"] == "too_short":
        return "text that is not blank" if _counted(detail) == "characters" else "one entry or more"
    return EXPECTED.get(detail["type"], "another value").format(**context)


def _counted(detail: Mapping[str, Any]) -> str:
    return "characters" if isinstance(detail["input"], str) else "entries"


def sentence(detail: Mapping[str, Any]) -> str:
    """Say what pydantic found wrong, in a sentence."""
    if detail["type"] == "contradiction":
        return expected(detail)
    if detail["type"] in ("too_long", "string_too_long"):
        return f"found {len(detail['input']):,} {_counted(detail)}, expected {expected(detail)}"
    return f"found {shown(detail['input'])}, expected {expected(detail)}"
