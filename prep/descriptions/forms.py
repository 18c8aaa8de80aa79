"""What a language model is asked, and the form that published sentences have.

The two questions are those of the method's paper (N sentences, once for looks and once for
steps). The instruction that goes with them asks for the form of the published files::

    spatial    A video about <looks>.
    temporal   A video of <cls> generally involves the following step: <step>, which is a sub-step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from manifests.descriptions import Kind

KINDS: tuple[Kind, ...] = ("spatial", "temporal")

_ASPECT: dict[Kind, str] = {
    "spatial": "visual appearance",
    "temporal": "temporally decoupled steps",
}
_FORM: dict[Kind, str] = {
    "spatial": "A video about ...",
    "temporal": "A video of {cls} generally involves the following step: ..., which is a sub-step.",
}
_ABOUT = "A video about"
# "A videos of" is a slip that runs through the published files; the sentence is whole otherwise.
_STEP = re.compile(
    r"A video(?P<slip>s?) of (?P<name>.+) generally involves the following step: (?P<step>.+), "
    r"which is a sub-step\.",
    re.DOTALL,
)


def prompt(kind: Kind, n: int, name: str) -> str:
    """The question for one class, under its name in words; `{cls}` gives the template.

    The words are the paper's whatever N is: "1 sentences" too.
    """
    return f"Please give me {n} sentences describing the {_ASPECT[kind]} of the action {name}."


def instruction(kind: Kind, n: int, name: str) -> str:
    """What is said beside the question: how many, and in which form."""
    sentences = "1 sentence" if n == 1 else f"{n} sentences"
    form = _FORM[kind].replace("{cls}", name)
    return (
        f"Answer with a numbered list of exactly {sentences} and nothing else. "
        f'Every sentence has the form "{form}"'
    )


@dataclass(frozen=True)
class Step:
    """A temporal sentence of the published form, in its parts."""

    name: str
    step: str
    slip: bool


def step_of(sentence: str) -> Step | None:
    """Parts of a temporal sentence; None when it has another form."""
    found = _STEP.fullmatch(sentence)
    return Step(found["name"], found["step"], bool(found["slip"])) if found else None


def has_form(kind: Kind, sentence: str) -> bool:
    """Does a sentence have the form of the published ones?"""
    if kind == "spatial":
        return sentence.startswith(_ABOUT)
    return step_of(sentence) is not None
