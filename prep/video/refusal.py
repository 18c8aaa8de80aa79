"""A file or clip that is refused, as an exception inside this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

# The processes that decode import this module and would pay for pyarrow.
if TYPE_CHECKING:
    from shards.schema import RejectReason


class Refused(Exception):  # noqa: N818
    """The verdict on a file: ``reason`` of the closed list, ``detail`` in plain words.

    ``detail`` ends up in the hash of a set: no absolute paths, times or process numbers in it.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason
        self.detail = detail
