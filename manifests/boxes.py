"""What tyro says of wrong words, in one line and out of the box that it draws around it."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator

_RULE = re.compile(r"[-─]{4,}")


@contextlib.contextmanager
def one_line(program: str, told: Callable[[list[str]], str]) -> Iterator[None]:
    """Say what is wrong with words read inside in one line; ``told`` makes it of the paragraphs."""
    box = io.StringIO()
    try:
        with contextlib.redirect_stderr(box):
            yield
    except SystemExit as left:
        if left.code == 2:
            sys.stderr.write(f"{program}: {told(paragraphs(box.getvalue()))}\n")
        raise


def paragraphs(text: str) -> list[str]:
    """Paragraphs of a box of lines, each as one line; a text without a box is one of them.

    Where the terminal knows no lines to draw with, a box is a title, a rule, and what is below.
    """
    found: list[list[str]] = [[]]
    for line in _inside(text.splitlines()):
        if line and not _RULE.fullmatch(line):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [" ".join(lines) for lines in found if lines] or [" ".join(text.split())]


def _inside(lines: list[str]) -> list[str]:
    boxed = [line.strip().strip("│").strip() for line in lines if line.strip().startswith("│")]
    plain = [line.strip() for line in lines]
    rules = [i for i, line in enumerate(plain) if _RULE.fullmatch(line)]
    return boxed or (plain[rules[0] + 1 :] if rules else [])
