"""`prep describe`: sentences for every class, asked of a model or imported; and their lint."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import subcommand

from prep.commands.describe_ask import Ask
from prep.commands.describe_import import Import
from prep.commands.describe_lint import LintStored

Describe = (
    Annotated[Ask, subcommand("ask")]
    | Annotated[Import, subcommand("import")]
    | Annotated[LintStored, subcommand("lint")]
)
