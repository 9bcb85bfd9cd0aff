"""Controls of equal size: variants whose width, or another argument, is scaled to the size of another variant.

A control is part of the plan before its value is known, under an id that says what it is for: finding the value
builds networks, and that is a job of its own (`ablation.jobs.controls`). Until then its level is a mark that names the
question.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ablation.study.resolution import Resolver, Variant
from ablation.study.schema import Problem
from ablation.support.digests import digest
from ablation.support.wording import nearest

MARK = "matched"  # the only key of a level that is not known yet
CLOSE = 0.05  # sizes that differ by more, as a share of the size that was wanted, are not called equal


@dataclass(frozen=True)
class Question:
    """Which value makes one network as large as another.

    Attributes
    ----------
    variant, scaled : dict
        Specs of two networks (`ablation.study.resolution.Variant.architecture_spec`); the second is scaled.
    quantity : str
        ``parameters`` or ``multiply_adds``.
    by : str
        The argument that is scaled.
    """

    variant: Mapping[str, Any]
    scaled: Mapping[str, Any]
    quantity: str
    by: str

    @property
    def key(self) -> str:
        """What the answer is kept under."""
        return digest(asdict(self))


def reached(ratio: float) -> bool:
    """Say whether a control of this size, relative to its variant's, is as good as equal."""
    return abs(ratio - 1) <= CLOSE


def compare_sizes(variant: str, control: str, quantity: str, wanted: int, found: int) -> str:
    """Say in a sentence how large a control is and how far from its variant's size."""
    text = f"{variant} has {wanted:,} {quantity.replace('_', '-')}; its control {control}, {found:,}"
    off = f"{100 * (found / wanted - 1):+.1f} %"
    return f"{text} ({off})" if reached(found / wanted) else f"{text}: the size was not reached ({off})"


def settle(content: Any, answers: Mapping[str, int]) -> Any:
    """Return plain data, such as a run's spec, with every level that was not known in its mark's place.

    Raises
    ------
    KeyError
        If `answers` do not have one.
    """
    if isinstance(content, Mapping):
        if set(content) == {MARK}:
            return answers[content[MARK]]
        return {name: settle(value, answers) for name, value in content.items()}
    if isinstance(content, list):
        return [settle(value, answers) for value in content]
    return content


class Controls:
    """The controls of a study, and the questions that they ask.

    Parameters
    ----------
    resolver : Resolver
    answers : mapping of str to int
        What was found, by the question's key; empty before anything was.

    Attributes
    ----------
    questions : dict of str to Question
        By key.
    """

    def __init__(self, resolver: Resolver, answers: Mapping[str, int]):
        self.resolver, self.answers = resolver, answers
        self.questions: dict[str, Question] = {}

    def match(
        self, key: tuple, variant: Variant, architecture: str, changes: Mapping[str, Any], quantity: str, by: str
    ) -> Variant:
        """Return the variant of `architecture` with `changes` that has `by` scaled to the size of another variant.

        Raises
        ------
        Problem
            If there is nothing of that name whose size can be scaled.
        """
        scaled = self.resolver.variant(architecture, changes)
        self._check_scales(key, scaled, changes, by)
        question = Question(variant.architecture_spec(), scaled.architecture_spec(), quantity, by)
        self.questions[question.key] = question
        value = self.answers.get(question.key, {MARK: question.key})
        same = variant.architecture == architecture and variant.changed
        other = variant.id.removeprefix(f"{architecture}-") if same else variant.id
        control = self.resolver.variant(architecture, {**changes, by: value}, {by: f"{quantity}_of_{other}"})
        if question.key in self.answers:
            self.resolver.check_sense(key, architecture, control.levels, {})
        return control

    def _check_scales(self, key: tuple, scaled: Variant, changes: Mapping[str, Any], by: str) -> None:
        """Raise the Problem that an argument does not scale the size of a network."""
        entry = self.resolver.catalogue.architectures[scaled.builder]
        scaling = [name for name, argument in entry.arguments.items() if argument.scales]
        if by not in scaling:
            wanted = f"an argument in which {scaled.architecture!r} ({scaled.builder}) grows: {', '.join(scaling)}"
            if not scaling:
                wanted = (
                    f"another architecture: {scaled.architecture!r} ({scaled.builder}) has no argument that scales it"
                )
            raise Problem((*key, "by"), f"found {by!r}, expected {wanted}{nearest(by, scaling)}")
        if why := entry.ineffective(scaled.levels).get(by):
            raise Problem((*key, "by"), f"found {by!r}, which would change nothing: {why}")
        if by in changes:
            raise Problem((*key, "given", by), f"found {by!r}, which is scaled: expected only levels of other factors")
