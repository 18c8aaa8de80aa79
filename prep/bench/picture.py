"""The bench as a picture: how fast each chain is, and where its processor time goes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from prep.bench.rounds import Median

STAGES = {"read": "#8d99ae", "decode": "#457b9d", "crop": "#2a9d8f", "whole": "#e9c46a"}
_NAMES = {
    "read": "read",
    "decode": "decode",
    "crop": "crop, resize",
    "whole": "colour, batch",
}


def shares(chain: str, medians: Mapping[str, Median]) -> dict[str, float]:
    """Processor milliseconds a clip of each stage of a chain: what it adds to the one before."""
    found, before = {}, 0.0
    for stage in STAGES:
        shared = "read" if stage == "read" and chain != "published" else f"{chain}/{stage}"
        if shared in medians:
            spent = 1000 * medians[shared].cpu_seconds_per_clip
            found[stage], before = max(0.0, spent - before), max(spent, before)
    return found


def drawn(chains: Sequence[str], medians: Mapping[str, Median], title: str) -> bytes:
    """A PNG of two bar charts, clips per second and milliseconds of processor time a clip."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    matplotlib.use("agg")
    canvas = Canvas(figsize=(10, 1.8 + 0.55 * (len(chains) + 1)), layout="constrained")
    speed, cost = canvas.subplots(1, 2)
    rows = [*chains, "limit"]
    rates = [medians[_whole(row)] for row in rows]
    bars = speed.barh(rows, [rate.clips_per_second for rate in rates], color="#457b9d")
    speed.bar_label(bars, [f"{rate.clips_per_second:,.0f}" for rate in rates], padding=3)
    speed.margins(x=0.15)
    speed.set_xlabel("clips/s, the whole chain (limit: JPEGs in memory decoded and cropped)")
    _stack(cost, chains, medians)
    cost.set_xlabel("processor milliseconds a clip")
    for stage, colour in STAGES.items():
        cost.barh(rows[0], 0, color=colour, label=_NAMES[stage])
    cost.legend(loc="best", fontsize="small")
    for axes in (speed, cost):
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
    canvas.suptitle(title)
    png = io.BytesIO()
    canvas.savefig(png, format="png", dpi=110)
    return png.getvalue()


def _stack(axes: Any, chains: Sequence[str], medians: Mapping[str, Median]) -> None:
    """Bars of stages one after another; one far longer than those of the loaders is cut off."""
    costs = {row: shares(row, medians) for row in chains}
    ours = [sum(cost.values()) for row, cost in costs.items() if row != "published"]
    end = 1.5 * max(ours, default=sum(costs.get("published", {}).values()))
    for row, cost in costs.items():
        left = 0.0
        for stage, spent in cost.items():
            axes.barh(row, min(spent, end - left), left=left, color=STAGES[stage])
            left = min(left + spent, end)
        whole = sum(cost.values())
        axes.text(left, row, f" {whole:.1f}" + (" (cut off)" if whole > end else ""), va="center")
    axes.set_xlim(0, 1.3 * end)


def _whole(row: str) -> str:
    return row if row == "limit" else f"{row}/whole"
