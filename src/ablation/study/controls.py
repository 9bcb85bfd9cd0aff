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
from ablation.support.wording import shown

MARK = "matched"  # the only key of a level that is not known yet


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
            If there is nothing of that name to scale.
        """
        scaled = self.resolver.variant(architecture, changes)
        arguments = self.resolver.catalogue.architectures[scaled.builder].arguments
        numbers = [name for name, argument in arguments.items() if type(argument.reference) is int]
        if by not in numbers:
            raise Problem(
                (*key, "by"), f"found {shown(by)}, expected an argument of {architecture!r}: {', '.join(numbers)}"
            )
        question = Question(variant.architecture_spec(), scaled.architecture_spec(), quantity, by)
        self.questions[question.key] = question
        value = self.answers.get(question.key, {MARK: question.key})
        same = variant.architecture == architecture and variant.changed
        other = variant.id.removeprefix(f"{architecture}-") if same else variant.id
        control = self.resolver.variant(architecture, {**changes, by: value}, {by: f"{quantity}_of_{other}"})
        if question.key in self.answers:
            self.resolver.check_sense(key, architecture, control.levels, {})
        return control
