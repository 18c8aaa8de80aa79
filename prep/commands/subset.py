"""`prep subset`: draw, import, list, check and export subsets of a set of shards."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import subcommand

from prep.commands.subset_draw import BaseNovel, FewShot, Full, ZeroShot
from prep.commands.subset_import import ImportList
from prep.commands.subset_kept import CheckSubset, ExportSubset, ListSubsets
from prep.commands.subset_protocols import ShowProtocols

__all__ = ["BaseNovel", "FewShot", "Full", "ImportList", "Subset", "ZeroShot"]

Subset = (
    Annotated[FewShot, subcommand("few-shot")]
    | Annotated[BaseNovel, subcommand("base-novel")]
    | Annotated[ZeroShot, subcommand("zero-shot")]
    | Annotated[Full, subcommand("full")]
    | Annotated[ImportList, subcommand("import")]
    | Annotated[ExportSubset, subcommand("export")]
    | Annotated[ListSubsets, subcommand("list")]
    | Annotated[CheckSubset, subcommand("check")]
    | Annotated[ShowProtocols, subcommand("protocols")]
)
