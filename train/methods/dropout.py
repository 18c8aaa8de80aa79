"""Dropout whose masks depend on what is masked, not on who computes it.

A mask is a pure function of (seed, update, clip's row or class, tower, block, token, channel):
the same on any number of ranks, after a resume, and whether a block computes all its tokens or
only one. One 64-bit hash of a counter serves four channels, 16 bits each::

    key (seed, update, tower, block) -> + row -> + token, group of channels -> mix -> 4 x 16 bits
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

Tower = Literal["vision", "text"]
_LANES = 4  # channels served by one hash
_LEVELS = 1 << 16
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass(frozen=True)
class Key:
    """What the masks of one update depend on; rows are those of the clips, `(B,)` int64."""

    seed: int
    update: int
    rows: torch.Tensor


_key: ContextVar[Key | None] = ContextVar("dropout_key", default=None)


@contextlib.contextmanager
def keyed(seed: int, update: int, rows: torch.Tensor) -> Iterator[None]:
    """Draw the masks of update number `update` for clips `rows` (B,) and all classes.

    Around the forward of both towers; every rank encodes the same class texts, whose masks are
    keyed by their place.
    """
    token = _key.set(Key(seed, update, rows))
    try:
        yield
    finally:
        _key.reset(token)


class KeyedDropout(nn.Module):
    """Dropout at one place of a model.

    place: tells several places of one block apart.
    """

    def __init__(self, p: float, tower: Tower, block: int, *place: int) -> None:
        super().__init__()
        self.p, self.tower, self.block, self.place = p, tower, block, place

    def forward(self, x: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """`(B, N, M)` with a share p set to zero and the rest scaled up, in training mode.

        rows: with N = 1, the token `(B,)` that was computed of each row; None: all, in order.
        Frames that a tower sees one by one, `(B·T, N, M)`, are tokens of their clip.
        Raises RuntimeError in training outside `keyed`.
        """
        if not self.training or self.p == 0:
            return x
        key = _key.get()
        if key is None:
            raise RuntimeError("dropout in training needs `with keyed(seed, update, rows)`")
        rows_of = torch.arange(len(x)) if self.tower == "text" else key.rows
        batch = rows_of.to(x.device, non_blocking=True)
        salt = salted(key.seed, key.update, int(self.tower == "text"), self.block, *self.place)
        places = torch.arange(x.shape[1], device=x.device) if rows is None else rows[:, None]
        frames = len(x) // len(batch)
        if frames > 1:
            batch = batch.repeat_interleave(frames)
            places = places * frames + torch.arange(len(x), device=x.device)[:, None] % frames
        keep = keep_mask(self.p, salt, batch, places, x.shape[2])
        return x * keep.to(x.dtype).mul_(1 / kept_share(self.p))


def kept_share(p: float) -> float:
    """Probability that a channel is kept: 1 - p to 16 bits."""
    return 1 - round(p * _LEVELS) / _LEVELS


def salted(*parts: int) -> int:
    """One 64-bit key from several numbers (splitmix64 over them)."""
    state = 0
    for part in parts:
        state = _mixed_int((state + part * _GOLDEN + _GOLDEN) % (1 << 64))
    return state


def keep_mask(
    p: float, salt: int, batch: torch.Tensor, places: torch.Tensor, channels: int
) -> torch.Tensor:
    """True where kept, `(B, N, channels)`.

    batch: row or class of each element, `(B,)` int64. places: tokens, `(N,)` or `(B, N)`.
    """
    groups = -(-channels // _LANES)
    base = _mixed(batch.to(torch.int64) * _signed(_GOLDEN) + _signed(salt))
    inner = torch.arange(groups, device=batch.device)
    counters = (places * groups)[..., None] + inner  # (N, G) or (B, N, G)
    words = _mixed(base[:, None, None] + counters * _signed(_GOLDEN))
    dropped = round(p * _LEVELS) - _LEVELS // 2
    return words.view(torch.int16)[..., :channels] >= dropped


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """splitmix64's finish on int64 tensors, whose products wrap."""
    x = (x ^ _shifted(x, 30)) * _signed(_FIRST)
    x = (x ^ _shifted(x, 27)) * _signed(_SECOND)
    return x ^ _shifted(x, 31)


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical shift to the right; `>>` alone would copy the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mixed_int(x: int) -> int:
    x = (x ^ (x >> 30)) * _FIRST % (1 << 64)
    x = (x ^ (x >> 27)) * _SECOND % (1 << 64)
    return x ^ (x >> 31)


def _signed(x: int) -> int:
    """A 64-bit pattern as the int64 that has it."""
    return x - (1 << 64) if x >= 1 << 63 else x
