"""`prep weights`: published weights in the form that training reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg, subcommand

from prep.processes import ask

_SOURCE = "a file, a folder, a size, or a Hub id: owner/name, owner/name/FILE, …@REVISION"
_MODELS = "folder that holds the sizes"


@dataclass(frozen=True)
class Show:
    """Tell what a file of weights holds."""

    source: Annotated[Positional[str], arg(metavar="SRC", help=_SOURCE)]
    models: Annotated[Path, arg(metavar="DIR", help=_MODELS)] = Path("data/models")

    def run(self) -> WeightsReport:
        """Read and check every tensor; nothing is written."""
        words = {"source": self.source, "models": str(self.models)}
        return WeightsReport(ask("train.models.convert", words, heard=True))


@dataclass(frozen=True)
class Convert:
    """Turn any published form of weights into model.safetensors, once."""

    source: Annotated[Positional[str], arg(metavar="SRC", help=_SOURCE)]
    target: Annotated[
        Positional[str],
        arg(
            metavar="DST",
            help="b16, l14 (ViCLIP), clip-b32, clip-b16, clip-l14: into that folder of --models; "
            "else a folder",
        ),
    ]
    models: Annotated[Path, arg(metavar="DIR", help=_MODELS)] = Path("data/models")
    inflate: Annotated[
        bool, arg(help="make a ViCLIP of a CLIP: what ViCLIP's pre-training starts from")
    ] = False
    frames: Annotated[
        int | None,
        arg(
            metavar="N",
            help="frames of ViCLIP's time embedding",
            help_behavior_hint="(default: as in SRC)",
        ),
    ] = None
    time: Annotated[
        Literal["official", "linear"],
        arg(help="fewer --frames by the first rows, or by interpolation"),
    ] = "official"
    context: Annotated[
        int | None,
        arg(
            metavar="N",
            help="longest text in token ids",
            help_behavior_hint="(default: as in SRC)",
        ),
    ] = None
    overwrite: Annotated[bool, arg(help="replace weights that are there")] = False

    def run(self) -> WeightsReport:
        """Read, check every tensor by name and shape, and write."""
        words = {**asdict(self), "models": str(self.models)}
        return WeightsReport(ask("train.models.convert", words, heard=True))


@dataclass(frozen=True)
class WeightsReport:
    """What was read, and written if it was."""

    found: dict[str, Any]

    exit_code = 0

    def text(self) -> str:
        """What it was, what it is, where."""
        found = self.found
        written = f" -> {found['written']}" if found["written"] else ""
        frames = f"{found['frames']} frames of " if found["frames"] else "frames of "
        side = found["resolution"]
        return (
            f"{found['source']} ({found['form']}){written}\n"
            f"{found['kind']}: {found['tensors']} tensors, {found['parameters']:,} parameters, "
            f"{frames}{side} x {side} pixels, texts of {found['context']} ids, "
            f"digest {found['digest'][:16]}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return self.found


Weights = Annotated[Convert, subcommand("convert")] | Annotated[Show, subcommand("show")]
