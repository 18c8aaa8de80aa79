"""Masks that depend on what is masked, not on who masks it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.methods.dropout import (
    _GOLDEN,
    KeyedDropout,
    _mixed,
    _mixed_int,
    _signed,
    keep_mask,
    kept_share,
    keyed,
    salted,
)

ROWS = st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True)


def test_the_hash_is_splitmix64() -> None:
    """The first two outputs of the published generator for seed 0."""
    assert _mixed_int(_GOLDEN) == 0xE220A8397B1DCDAF
    assert _mixed_int(2 * _GOLDEN % 2**64) == 0x6E789E6AA1B965F4


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_tensors_are_hashed_as_numbers_are(values: list[int]) -> None:
    found = _mixed(torch.tensor(values, dtype=torch.int64)).tolist()
    assert found == [_signed(_mixed_int(value % 2**64)) for value in values]


@given(rows=ROWS, salt=st.integers(0, 2**63 - 1), channels=st.integers(1, 9))
def test_a_mask_belongs_to_row_and_token(rows: list[int], salt: int, channels: int) -> None:
    batch, places = torch.tensor(rows), torch.arange(6)
    whole = keep_mask(0.3, salt, batch, places, channels)
    assert whole.shape == (len(rows), 6, channels)
    for index in range(len(rows)):
        alone = keep_mask(0.3, salt, batch[index : index + 1], places, channels)
        assert torch.equal(alone[0], whole[index])
    chosen = torch.tensor([index % 6 for index in range(len(rows))])
    one_each = keep_mask(0.3, salt, batch, chosen[:, None], channels)
    assert torch.equal(one_each[:, 0], whole[torch.arange(len(rows)), chosen])
    assert torch.equal(keep_mask(0.3, salt, batch, torch.arange(4), channels), whole[:, :4])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_as_many_are_kept_as_asked(p: float) -> None:
    mask = keep_mask(p, salted(1, 2), torch.arange(64), torch.arange(50), 128).float()
    count = mask.numel()
    assert mask.mean().item() == pytest.approx(1 - p, abs=5 * (p * (1 - p) / count) ** 0.5)
    for dims in ((0, 1), (0, 2), (1, 2)):  # no channel, token or row is preferred
        means = mask.mean(dim=dims)
        each = count / len(means)
        assert (means - (1 - p)).abs().max().item() < 6 * (p * (1 - p) / each) ** 0.5


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 1), st.integers(1, 24))
def test_masks_of_other_keys_are_unrelated(seed: int, update: int, tower: int, block: int) -> None:
    rows, places = torch.arange(8), torch.arange(16)
    one = keep_mask(0.5, salted(seed, update, tower, block), rows, places, 64)
    for other in (
        salted(seed + 1, update, tower, block),
        salted(seed, update + 1, tower, block),
        salted(seed, update, 1 - tower, block),
        salted(seed, update, tower, block + 1),
        salted(update, seed, tower, block) if seed != update else salted(seed, update),
    ):
        two = keep_mask(0.5, other, rows, places, 64)
        agree = (one == two).float().mean().item()
        assert abs(agree - 0.5) < 0.5 * 7 / one.numel() ** 0.5


def test_what_is_kept_is_scaled_up() -> None:
    layer = KeyedDropout(0.25, "vision", 3)
    with keyed(1, 5, torch.tensor([4, 9])):
        found = layer(torch.ones(2, 300, 64))
    values = found.unique().tolist()
    assert values == [0.0, pytest.approx(1 / kept_share(0.25))]
    assert found.mean().item() == pytest.approx(1.0, abs=0.02)


def test_text_is_keyed_by_class_not_by_clip() -> None:
    layer = KeyedDropout(0.5, "text", 1)
    found = []
    for rows in ([1, 2], [3, 4, 5]):
        with keyed(1, 5, torch.tensor(rows)):
            found.append(layer(torch.ones(7, 4, 16)))
    assert torch.equal(found[0], found[1])


def test_no_mask_in_evaluation_or_without_a_share() -> None:
    x = torch.randn(2, 3, 8)
    assert KeyedDropout(0.5, "vision", 1).eval()(x) is x
    assert KeyedDropout(0.0, "vision", 1)(x) is x


def test_training_without_a_key_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="keyed"):
        KeyedDropout(0.5, "vision", 1)(torch.ones(1, 1, 4))
    with pytest.raises(ZeroDivisionError), keyed(1, 2, torch.tensor([0])):
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="keyed"):
        KeyedDropout(0.5, "vision", 1)(torch.ones(1, 1, 4))


def test_gradient_is_masked_like_the_value() -> None:
    layer, x = KeyedDropout(0.5, "vision", 1), torch.randn(2, 5, 8, requires_grad=True)
    with keyed(3, 1, torch.tensor([0, 1])):
        found = layer(x)
    found.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(found, x * x.grad)
