"""Where each benchmark comes from, and on what terms: told wherever something is missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OfficialPlace:
    """The official source of a benchmark's videos and annotation, and its terms of use."""

    videos: str
    annotations: str
    terms: str


_KINETICS = "https://github.com/cvdfoundation/kinetics-dataset"
_KINETICS_TERMS = (
    "annotation CC BY 4.0 (Google); the videos stay under YouTube's terms and their owners' rights"
)

PLACES: dict[str, OfficialPlace] = {
    "ucf101": OfficialPlace(
        "https://www.crcv.ucf.edu/data/UCF101.php (UCF101.rar)",
        "https://www.crcv.ucf.edu/data/UCF101.php (Train/Test Splits for Action Recognition)",
        "research use; please cite Soomro et al. 2012",
    ),
    "hmdb51": OfficialPlace(
        "https://serre.lab.brown.edu/hmdb51.html (hmdb51_org.rar, then the 51 .rar files in it)",
        "https://serre.lab.brown.edu/hmdb51.html (three splits: test_train_splits.rar)",
        "CC BY 4.0 as its page says, research use; the films keep their owners",
    ),
    "kinetics400": OfficialPlace(
        f"{_KINETICS} (k400_downloader.sh)", f"{_KINETICS} (400/annotations)", _KINETICS_TERMS
    ),
    "kinetics600": OfficialPlace(
        f"{_KINETICS} (k600_downloader.sh)", f"{_KINETICS} (600/annotations)", _KINETICS_TERMS
    ),
    "ssv2": OfficialPlace(
        "https://www.qualcomm.com/developer/software/something-something-v-2-dataset",
        "https://www.qualcomm.com/developer/software/something-something-v-2-dataset (labels)",
        "Qualcomm's data licence agreement: non-commercial research use",
    ),
    "activitynet": OfficialPlace(
        "http://activity-net.org/download.html (v1.3; lost videos by the request form there)",
        "http://activity-net.org/download.html (activity_net.v1-3.min.json)",
        "research use; the videos stay under YouTube's terms and their owners' rights",
    ),
}


def get_videos(benchmark: str) -> str:
    """Half a sentence for errors: where the videos are to be had."""
    place = PLACES.get(benchmark)
    return f"get the videos from {place.videos}" if place else "put the videos there"


def get_annotations(benchmark: str) -> str:
    """Half a sentence for errors: where the annotation files are to be had."""
    place = PLACES.get(benchmark)
    return f"get them from {place.annotations}" if place else "write the list yourself"
