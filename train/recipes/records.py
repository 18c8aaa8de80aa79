"""What a training run is: plain records, complete and printable, nothing filled in later.

A `Recipe` decides the figures of a run; two runs of one recipe on one dataset end with the same
weights. Where files lie and how many threads read them is in `train.run.Where`, and decides
nothing. Each field's text is its help on the command line, where all groups are flat (`--lr`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Generic, Literal, TypeVar

from tyro.constructors import PrimitiveConstructorSpec

Task = Literal["few-shot", "base-novel", "zero-shot", "full-supervised", "pretrain"]
Reading = Literal["paper", "logs"]
Consistency = Literal["both", "spatial", "temporal", "none"]
Precision = Literal["fp32", "bf16", "fp16"]

Protocol = TypeVar("Protocol")
Options = TypeVar("Options")


@dataclass(frozen=True)
class FewShot:
    """K videos per class, every class; tested on the whole test split (Table 3)."""

    shots: int = 16
    """Training videos per class; the paper has 2, 4, 8 and 16."""
    subset: str = ""
    """Train on this stored subset, an imported published list say, instead of drawing one."""


@dataclass(frozen=True)
class BaseNovel:
    """K videos per base class; base and novel tested apart, each among its own (Table 2)."""

    shots: int = 16
    """Training videos per base class."""
    subset: str = ""
    """Train on this stored subset, an imported published list say, instead of drawing one."""


@dataclass(frozen=True)
class ZeroShot:
    """The whole training split; tested on other benchmarks, three splits each (Table 4)."""

    targets: tuple[str, ...] = ("hmdb51", "ucf101", "kinetics600")
    """Benchmarks to test on. The training benchmark itself stands for its novel half, and then
    only its base half is trained on."""


@dataclass(frozen=True)
class FullSupervised:
    """The whole training split, tested on the whole test split (Table 5)."""


@dataclass(frozen=True)
class Pretrain:
    """Clips against their captions, both towers trained from scratch: makes a nano backbone."""

    word_weight: float = 1.0
    """Weight of the loss of the head that names the caption's words; it is thrown away."""
    start_temperature: float = 0.07
    """Temperature that training starts from; it is learnt."""


@dataclass(frozen=True)
class Grid:
    """Test views of a video: clips over its length times crops over its width."""

    clips: int = 1
    crops: int = 1

    def __post_init__(self) -> None:
        if self.clips < 1 or self.crops not in (1, 3):
            raise ValueError(f"{self}: at least one clip, and 1 or 3 crops")

    def __str__(self) -> str:
        return f"{self.clips}x{self.crops}"

    @property
    def views(self) -> int:
        """Views of one video."""
        return self.clips * self.crops


def parse_grid(words: list[str]) -> Grid:
    """`4x3` as on the command line; ValueError for anything else."""
    clips, _, crops = words[0].lower().partition("x")
    return Grid(int(clips), int(crops or 1))


_GRID = PrimitiveConstructorSpec[Grid](
    nargs=1,
    metavar="CLIPSxCROPS",
    instance_from_str=parse_grid,
    is_instance=lambda value: isinstance(value, Grid),
    str_from_instance=lambda grid: [str(grid)],
)


@dataclass(frozen=True)
class Views:
    """What the model sees of a video."""

    frames: int = 8
    """Frames of a clip (T)."""
    size: int = 224
    """Side of the square the model sees, pixels."""
    views: Annotated[Grid, _GRID] = field(default_factory=Grid)
    """Test views: clips spread over the video, times 1 crop (centre) or 3 (along the longer
    side)."""
    short_side: int = 256
    """Short side before the centre crop of a test with one crop, pixels."""
    statistics: Literal["imagenet", "clip"] = "imagenet"
    """Mean and deviation that pixels are normalised with."""
    random_clips: bool = False
    """Test several clips of random frames, as the followed code does, instead of evenly spread
    ones."""


@dataclass(frozen=True)
class Augment:
    """How training clips are varied; one draw a clip, shared by its frames."""

    crop_area: tuple[float, float] = (0.08, 1.0)
    """Smallest and largest share of the picture a random crop takes."""
    crop_aspect: tuple[float, float] = (3 / 4, 4 / 3)
    """Smallest and largest width over height of a random crop."""
    flip: float = 0.5
    """Probability of a horizontal flip; 0 switches it off."""
    jitter_p: float = 0.8
    """Probability of colour jitter."""
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.2, 0.1)
    """Strength of jitter in brightness, contrast, saturation and hue."""
    grey_p: float = 0.2
    """Probability of dropping the colours."""
    crop: Literal["resized", "multi-scale"] = "resized"
    """Random area and aspect, or the followed code's MultiScaleCrop."""
    flip_labels: Literal["keep", "swap"] = "keep"
    """Whether a flipped clip of SSv2 keeps a class that says left or right, as in the followed
    code, or gets the other one."""
    per_frame: bool = False
    """Draw jitter anew for every frame, as the followed code does."""


@dataclass(frozen=True)
class Text:
    """How class names become sentences."""

    prompt: Literal["raw", "split"] = "raw"
    """Class names as published lists have them, or split into words (ApplyEyeMakeup)."""
    template: str = "a video of {}."
    """Sentence around the class name, {} standing for it."""


@dataclass(frozen=True)
class Loss:
    """Cross entropy plus alpha times the consistency with class descriptions (eq. 16)."""

    consistency: Consistency = "both"
    """Which descriptions the class texts are held to; none needs no descriptions."""
    alpha: float = 1.0
    """Weight of the consistency loss."""
    n_descriptions: int = 2
    """Descriptions per class and kind (N)."""
    description_mean: Literal["normalised", "raw"] = "normalised"
    """Whether each description's feature is normalised before their mean is taken."""
    reduction: Literal["mean", "sum"] = "mean"
    """Consistency over the training classes: their mean or their sum."""


@dataclass(frozen=True)
class Optim:
    """AdamW and its schedule."""

    lr: float = 1e-3
    """Learning rate at the end of the warm-up."""
    epochs: int = 50
    """Passes over the training subset; 0 evaluates only."""
    batch: int = 32
    """Clips of one update, over all ranks and accumulated parts."""
    shuffle_tars: int = 0
    """Read so many tars at a time, shuffled inside: for spinning disks and network storage. 0
    shuffles the whole subset."""
    warmup_epochs: float = 5.0
    """Epochs over which the rate rises linearly from 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Rate after the warm-up: cosine to lr/100, or lr."""
    weight_decay: float = 0.001
    """Weight decay of every trained tensor."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's two decay rates."""
    clip_norm: float = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    accumulate: int = 1
    """Parts that each rank's share of a batch is computed in, to save memory."""
    precision: Precision = "fp32"
    """Arithmetic of the towers; the default is the launcher's --mixed_precision."""

    def __post_init__(self) -> None:
        _at_least(0, self, "lr", "epochs", "warmup_epochs", "weight_decay", "clip_norm")
        _at_least(0, self, "shuffle_tars")
        _at_least(1, self, "batch", "accumulate")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas}: from 0 to below 1")


@dataclass(frozen=True)
class Testing:
    """When and on how much the model is tested."""

    eval_every: int = 0
    """Test after the first epoch and every so many after it as well as at the end; 0 tests at
    the end only."""
    eval_batch: int = 0
    """Videos per rank of one test step; 0 chooses so that about 32 views pass at once."""
    validation: int = 0
    """Videos per class held out of the unused training split for best-on-validation."""
    test_lists: tuple[str, ...] = ()
    """Test on these stored subsets instead of the protocol's own test sets, each among its own
    classes: NAME, or BENCHMARK/NAME beside other shards (imported published lists, say)."""
    published_drop: bool = False
    """Leave out of a test what the followed code's loaders drop on 8 ranks in batches of 2."""

    def __post_init__(self) -> None:
        _at_least(0, self, "eval_every", "eval_batch", "validation")


@dataclass(frozen=True)
class Recipe(Generic[Protocol, Options]):
    """Everything that decides the figures of a run."""

    protocol: Protocol
    options: Options
    method: str
    """What is trained; chosen before the other words, because its options depend on it."""
    dataset: str
    """Benchmark: ucf101 hmdb51 kinetics400 kinetics600 ssv2 activitynet toy custom."""
    backbone: str = "b16"
    """Size whose weights lie in data/models (b16, l14, nano), or a weights file."""
    seed: int = 1
    """Decides the drawn subset, the adapters' first values, the order and the augmentation."""
    look: Views = field(default_factory=Views)
    augment: Augment = field(default_factory=Augment)
    text: Text = field(default_factory=Text)
    loss: Loss = field(default_factory=Loss)
    optim: Optim = field(default_factory=Optim)
    testing: Testing = field(default_factory=Testing)

    @property
    def task(self) -> Task:
        """Name of the protocol on the command line."""
        return TASK_OF[type(self.protocol)]

    def as_json(self) -> dict[str, Any]:
        """Plain data that a result, a checkpoint and a resumed run are compared by."""
        return {"task": self.task, **_plain(asdict(self))}


TASKS: dict[Task, type] = {
    "few-shot": FewShot,
    "base-novel": BaseNovel,
    "zero-shot": ZeroShot,
    "full-supervised": FullSupervised,
    "pretrain": Pretrain,
}
TASK_OF: dict[type, Task] = {record: task for task, record in TASKS.items()}


def _at_least(least: int, record: Any, *names: str) -> None:
    for name in names:
        if getattr(record, name) < least:
            raise ValueError(f"{name} {getattr(record, name)}: at least {least}")


def _plain(value: Any) -> Any:
    """Tuples as lists all the way down, so that data read back from JSON compares equal."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def differences(mine: Any, other: Any, prefix: str = "") -> list[str]:
    """Names of the fields in which two recipes' plain data differ, with both values."""
    if isinstance(mine, dict) and isinstance(other, dict):
        found: list[str] = []
        for key in sorted(mine.keys() | other.keys()):
            found += differences(mine.get(key), other.get(key), f"{prefix}.{key}".lstrip("."))
        return found
    return [] if mine == other else [f"{prefix} {other!r} -> {mine!r}"]
