"""Which blocks of the two towers a method works in.

Blocks are counted from 1. Where the towers differ in depth they meet at the top, and the numbers a
user says are those of the deeper one::

    pair      1 … 12   13 … 24
    vision    1 … 12   13 … 24        L/14
    text               1  … 12
"""

from __future__ import annotations

from manifests.errors import UserError
from train.methods.dropout import Tower
from train.models.config import BackboneConfig


def depth(config: BackboneConfig) -> int:
    """Blocks of the deeper tower."""
    return max(config.vision.blocks, config.text.blocks)


def check_blocks(blocks: tuple[int, int], config: BackboneConfig) -> None:
    """Refuse a first and last block that the backbone does not have."""
    first, last = blocks
    deep = depth(config)
    if not 1 <= first <= last <= deep:
        raise UserError(
            f"adapters in blocks {first} to {last} of a backbone with {deep}: "
            f"say --blocks FIRST LAST between 1 and {deep}"
        )


def tower_blocks(
    blocks: tuple[int, int] | None, towers: str, config: BackboneConfig
) -> dict[Tower, range]:
    """Numbers of the blocks in each tower's own counting; of a tower left out, none.

    blocks: first and last in the deeper tower's counting; None: all. towers: "both", or the one.
    Raises UserError when the backbone has no such blocks, or a tower that was asked for none.
    """
    deep = depth(config)
    first, last = blocks or (1, deep)
    check_blocks((first, last), config)
    own: dict[Tower, int] = {"vision": config.vision.blocks, "text": config.text.blocks}
    found: dict[Tower, range] = {"vision": range(0), "text": range(0)}
    for tower, count in own.items():
        lowest = deep - count + 1
        if towers not in ("both", tower):
            continue
        if last < lowest:
            other = next(name for name in own if name != tower)
            alone = f", or --towers {other} for none" * (towers == "both")
            raise UserError(
                f"blocks {first} to {last} hold no {tower} adapter: towers of {own['vision']} "
                f"and {own['text']} blocks meet at the top, in pairs {lowest} to {deep}; say "
                f"--blocks {lowest} {deep} for all pairs, --blocks 1 {deep} for all blocks"
                f"{alone}"
            )
        found[tower] = range(max(1, first - lowest + 1), last - lowest + 2)
    return found
