"""Learning rate: linear warm-up from 0, then half a cosine down to a hundredth.

::

    rate(t) = lr · t / W                                             t < W
            = lr/100 + (lr - lr/100) / 2 · (1 + cos(pi · t / N))     t >= W

with N steps in all and W of warm-up. The cosine counts from step 0, not from the end of the
warm-up, so the rate drops where the two meet: this is the schedule of the code the paper builds
on, and the rates logged by its authors follow it. There the scheduler is advanced after the
update, so update number s works with rate(s - 1), and the first two with 0.
"""

from __future__ import annotations

import math

FLOOR = 0.01  # of the peak rate, at the end


def rate_at(
    step: float, lr: float, epochs: int, warmup_epochs: float, steps_per_epoch: int
) -> float:
    """What the scheduler shows after `step` steps (and what the authors logged)."""
    warmup = warmup_epochs * steps_per_epoch
    if step < warmup:
        return lr * step / warmup
    low = lr * FLOOR
    return low + 0.5 * (lr - low) * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))


def lr_at(update: int, lr: float, epochs: int, warmup_epochs: float, steps_per_epoch: int) -> float:
    """Rate of update number `update`, from 0."""
    return rate_at(max(update - 1, 0), lr, epochs, warmup_epochs, steps_per_epoch)
