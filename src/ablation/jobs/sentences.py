"""Checks as generators of sentences: what turns one into a function that returns what is wrong."""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

import torch

from ablation.jobs.behaviour import (
    Broken,
    in_words,
)
from ablation.jobs.subjects import Subject
from ablation.study.levels import level_text


def check(sentences: Callable[..., Iterator[str]]) -> Callable[..., list[str]]:
    """Turn a generator of sentences into a check: their list, each led by what it is about, ended by what broke."""

    @wraps(sentences)
    def checked(subject: Subject, factor: str | None = None, level: Any = None, **options: Any) -> list[str]:
        case = () if factor is None else (factor, level)
        about = f"{subject.name}, {factor}.{level_text(level)}" if case else subject.name
        problems = []
        with torch.random.fork_rng(devices=[]):  # the caller keeps the random state
            try:
                for sentence in sentences(subject, *case, **options):
                    problems.append(f"{about}: {sentence}")
            except Broken as broken:
                problems.append(f"{about}: {in_words(broken, subject)}")
        return problems

    return checked


def listed(names: Iterable[str], what: str = "parameter") -> str:
    """Name what a problem is about: parameter 'a'; parameters 'a', 'b', 'c' and 4 more."""
    names = list(names)
    text = ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{what}{'s' * (len(names) > 1)} {text}"
