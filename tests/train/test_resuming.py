"""What a state is held against before a run goes on from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from manifests.errors import UserError
from train.checkpoint import Progress
from train.folder import check_same

SAVED = Progress(3, 4, 40, {"seed": 1}, "s" * 64, "d" * 64, 1, "l" * 64, 3.5, [])
SAVED = replace(SAVED, backbone="b" * 64, descriptions={"spatial": "e" * 64, "temporal": "f" * 64})


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("subset", "t" * 64, "another training subset (ssssssssssss, now tttttttttttt)"),
        ("dataset", "t" * 64, "another shard set"),
        ("plan", 2, "another plan version (1, now 2)"),
        ("backbone", "t" * 64, "other backbone weights (bbbbbbbbbbbb, now tttttttttttt)"),
        ("descriptions", {"spatial": "t" * 64}, "other spatial descriptions (eeeeeeeeeeee, now"),
        ("descriptions", {"spatial": "e" * 64, "temporal": "u"}, "other temporal descriptions"),
        ("loader", "t" * 64, "another order, frames or augmentation"),
    ],
)
def test_a_state_of_another_plan_is_refused_in_one_line(field, value, told):
    fresh = replace(SAVED, epoch=0, step=0, update=0, seconds=0.0)
    check_same(SAVED, fresh, Path("runs/x"))
    with pytest.raises(UserError) as refused:
        check_same(SAVED, replace(fresh, **{field: value}), Path("runs/x"))
    message = str(refused.value)
    assert told in message and "runs/x" in message and "--overwrite" in message
    assert len(message.splitlines()) == 1
