"""Levels of factors: which there are, how they are written, and the reading of one from a study."""

import re
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ablation.catalogue.catalogue import Catalogue
from ablation.study.mistakes import sentence
from ablation.study.schema import Problem, Recipe
from ablation.support.wording import listed, nearest, shown


def level_text(level: Any) -> str:
    """Write a level as it stands in a variant's id."""
    if isinstance(level, tuple | list):
        return "_".join(map(level_text, level))
    if isinstance(level, bool):
        return str(level).lower()
    if isinstance(level, float):
        return format(Decimal(repr(level)), "f")  # 0.00001, not 1e-05
    return re.sub(r"[^A-Za-z0-9_.+]", "_", str(level))


@cache
def recipe_entry(name: str) -> TypeAdapter:
    """Return what checks one entry of a recipe by itself."""
    entry = Recipe.model_fields[name]
    return TypeAdapter(Annotated[entry.annotation, entry], config=ConfigDict(strict=True, allow_inf_nan=False))


def read_level(catalogue: Catalogue, key: tuple, architecture: str, builder: str, factor: str, level: Any) -> Any:
    """Return a level converted to its type.

    Parameters
    ----------
    catalogue : Catalogue
    key : tuple
        Where it stands in the study.
    architecture, builder : str
        Names in the study and in the catalogue.
    factor : str
    level : object
        As the study states it.

    Raises
    ------
    Problem
        If the architecture has no such factor, or the factor no such level, with what is allowed.
    """
    entry = catalogue.architectures[builder]
    if factor in entry.lacks:
        raise Problem(key, f"{architecture!r} ({builder}) cannot have the factor {factor}: {entry.lacks[factor]}")
    if factor in entry.layers:
        known = catalogue.factors[factor].levels
        allowed = [name for name in known if f"{factor}.{name}" not in entry.excluded]
        if isinstance(level, str) and level in known and level not in allowed:
            raise Problem(key, f"{builder} cannot have {factor} {level}: {entry.excluded[f'{factor}.{level}']}")
        if level not in allowed:
            raise Problem(
                key,
                f"found {shown(level)}, expected a level of {factor}: {listed(allowed)}{nearest(level, allowed)}",
            )
        return level
    if factor in entry.arguments:
        argument = entry.arguments[factor]
        kind = type(argument.reference)
        if kind is float and type(level) is int:
            level = float(level)
        least, most = {int: 1, float: 0}.get(kind), argument.largest(factor)
        if type(level) is not kind or (least is not None and level < least):
            wanted = {int: "a whole number of 1 or more", float: "a number of 0 or more", bool: "true or false"}
            raise Problem(key, f"found {shown(level)}, expected {wanted.get(kind, 'text')}")
        if argument.choices and level not in argument.choices:
            raise Problem(key, f"found {shown(level)}, expected one of {listed(argument.choices)}")
        if least is not None and level > most:
            raise Problem(key, f"found {shown(level)}, expected {most:,} or less")
        return level
    if factor in Recipe.model_fields:
        # Alone: whether the entries of a recipe fit together is a question to the whole variant.
        try:
            return recipe_entry(factor).validate_python(level, context=catalogue)
        except ValidationError as error:
            raise Problem(key, sentence(error.errors()[0])) from None
    allowed = [*entry.layers, *entry.arguments, *Recipe.model_fields]
    raise Problem(
        key,
        f"architecture {architecture!r} ({builder}) has no factor {shown(factor)}; "
        f"it has {', '.join([*entry.layers, *entry.arguments])} and the entries of the recipe{nearest(factor, allowed)}",
    )
