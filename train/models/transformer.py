"""The transformer of both towers: pre-norm blocks with the official parameter names.

::

    x = x + attention(ln_1(x));  x = x + mlp(ln_2(x))          x (B, N, W)

A method reaches into the towers through a `Step`: what happens at one block. `plain_step` is the
frozen model; a method's own step may read the block's input and change its output, come between
attention and MLP (`Block.attended`), or give the block an `Extra`: what it adds to the output of
single projections.

Of the last block only one token a row is ever used (the class token; the end of a text). Its keys
and values need all tokens, its queries, MLP and output only that one: a step is then given `rows`
and returns `(B, 1, W)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

# A projection of a block: query, key, value and output of attention, the two layers of the MLP.
Place = Literal["q", "k", "v", "out", "c_fc", "c_proj"]
# What to add to the output of one projection, given its input (B, n, W_in); None for nothing.
Extra = Callable[[Place, torch.Tensor], torch.Tensor | None]


class Linear(nn.Linear):
    """A linear layer that draws nothing: its values come from a file or from a seed."""

    def reset_parameters(self) -> None:
        """Leave the values to whoever builds the model."""


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x * sigmoid(1.702 x), in the form that keeps one tensor for the way back, not two.

        x is overwritten: nothing else needs it, and the hidden layer is the widest of a block.
        """
        inner = x.mul_(1.702)
        return F.silu(inner, inplace=not inner.requires_grad).div_(1.702)


class MLP(nn.Module):
    """Two layers, four times as wide between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = Linear(width, 4 * width)
        self.gelu = QuickGELU()
        self.c_proj = Linear(4 * width, width)

    def forward(self, x: torch.Tensor, extra: Extra | None = None) -> torch.Tensor:
        """`(B, N, W)` to the same shape."""
        hidden = self.gelu(_with(extra, "c_fc", x, self.c_fc(x)))
        return _with(extra, "c_proj", hidden, self.c_proj(hidden))


def _with(extra: Extra | None, place: Place, x: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """`found`, which a projection made of x, and what a method adds to it."""
    more = None if extra is None else extra(place, x)
    return found if more is None else found + more


class Attention(nn.Module):
    """Multi-head self-attention; rows of the fused projection are q, k, v in that order."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = Linear(width, width)

    def forward(
        self, x: torch.Tensor, rows: torch.Tensor | None = None, extra: Extra | None = None
    ) -> torch.Tensor:
        """`(B, N, W)` to the same shape, or to `(B, 1, W)` for the tokens at `rows` (B,)."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        asking = x if rows is None else token_at(x, rows)
        if rows is None:
            query, key, value = F.linear(x, weight, bias).chunk(3, dim=-1)
        else:
            width = x.shape[-1]
            query = F.linear(asking, weight[:width], bias[:width])
            key, value = F.linear(x, weight[width:], bias[width:]).chunk(2, dim=-1)
        found = F.scaled_dot_product_attention(
            self._split(_with(extra, "q", asking, query)),
            self._split(_with(extra, "k", x, key)),
            self._split(_with(extra, "v", x, value)),
            attn_mask=self._before(x, rows),
            is_causal=self.causal and rows is None,
        )
        joined = found.transpose(1, 2).flatten(2)
        return _with(extra, "out", joined, self.out_proj(joined))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, N, W)` to `(B, heads, N, W / heads)`."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def _before(self, x: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor | None:
        """Which tokens the single query of each row may see, `(B, 1, 1, N)`."""
        if rows is None or not self.causal:
            return None
        places = torch.arange(x.shape[1], device=x.device)
        return (places <= rows[:, None])[:, None, None]


class Block(nn.Module):
    """Attention and MLP, each behind its own norm, each added to its input."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.attn = Attention(width, heads, causal=causal)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.ln_2 = nn.LayerNorm(width)

    def forward(
        self,
        x: torch.Tensor,
        normed: torch.Tensor,
        rows: torch.Tensor | None = None,
        extra: Extra | None = None,
    ) -> torch.Tensor:
        """Output of the block from its input and `normed`, which is `ln_1` of it."""
        x = self.attended(x, normed, rows, extra)
        out: torch.Tensor = x + self.mlp(self.ln_2(x), extra)
        return out

    def attended(
        self,
        x: torch.Tensor,
        normed: torch.Tensor,
        rows: torch.Tensor | None = None,
        extra: Extra | None = None,
    ) -> torch.Tensor:
        """The stream between attention and MLP: the input and what attention adds to it."""
        out: torch.Tensor = (x if rows is None else token_at(x, rows)) + self.attn(
            normed, rows, extra
        )
        return out


# Number of the block (from 1), the block, its input (B, N, W), and the one token of each row that
# is wanted, or None for all.
Step = Callable[[int, Block, torch.Tensor, torch.Tensor | None], torch.Tensor]


def plain_step(
    number: int, block: Block, x: torch.Tensor, rows: torch.Tensor | None
) -> torch.Tensor:
    """The block as it is."""
    out: torch.Tensor = block(x, block.ln_1(x), rows)
    return out


class Transformer(nn.Module):
    """A stack of blocks."""

    def __init__(self, width: int, blocks: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, causal=causal) for _ in range(blocks))
        self.pooled_last = True  # the last block for the wanted token only: exact, and cheaper

    def forward(
        self, x: torch.Tensor, rows: torch.Tensor, step: Step = plain_step, start: int = 0
    ) -> torch.Tensor:
        """Output of the last block at token `rows` (B,) of each row, `(B, W)`.

        x: input of block `start` (from 0), `(B, N, W)`.
        """
        for number in range(start, len(self.resblocks)):
            last = self.pooled_last and number + 1 == len(self.resblocks)
            x = step(number + 1, self._block(number), x, rows if last else None)
        return (x if self.pooled_last else token_at(x, rows))[:, 0]

    def first(self, x: torch.Tensor, stop: int) -> torch.Tensor:
        """Input of block `stop` (from 0): the blocks below it, as they are."""
        for number in range(stop):
            x = plain_step(number + 1, self._block(number), x, None)
        return x

    def _block(self, number: int) -> Block:
        block = self.resblocks[number]
        assert isinstance(block, Block)
        return block


def token_at(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Token `rows[b]` of each row b: `(B, N, W)` to `(B, 1, W)`."""
    return x.gather(1, rows[:, None, None].expand(-1, 1, x.shape[-1]))
