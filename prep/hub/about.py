"""What a card says of a benchmark itself: its title, who made it, on what terms."""

from __future__ import annotations

from dataclasses import dataclass

from prep.benchmarks.places import PLACES, OfficialPlace


@dataclass(frozen=True)
class About:
    """A benchmark's title as its authors write it, and the paper to cite; "" where there is none.

    ``creator`` is whoever made the videos a benchmark, "unknown" for one's own. ``place`` is None
    for videos that have no official source. ``terms`` is a sentence or half one.
    """

    title: str
    creator: str
    paper: str
    place: OfficialPlace | None
    terms: str

    @property
    def link(self) -> str | None:
        """Address of the page that states the terms."""
        return self.place.videos.split()[0] if self.place else None


_TITLES = {
    "ucf101": "UCF-101",
    "hmdb51": "HMDB-51",
    "kinetics400": "Kinetics-400",
    "kinetics600": "Kinetics-600",
    "ssv2": "Something-Something V2",
    "activitynet": "ActivityNet 1.3",
    "toy": "Rendered toy actions",
    "custom": "Videos of one's own",
}
_CREATORS = {
    "ucf101": "Center for Research in Computer Vision, University of Central Florida",
    "hmdb51": "Serre Lab, Brown University",
    "kinetics400": "Google DeepMind",
    "kinetics600": "Google DeepMind",
    "ssv2": "Twenty Billion Neurons, now Qualcomm",
    "activitynet": "ActivityNet team",
    "toy": "actionshards",
    "custom": "unknown",
}
_PAPERS = {
    "ucf101": "Soomro, Zamir, Shah. UCF101: A Dataset of 101 Human Actions Classes From Videos in "
    "The Wild. arXiv:1212.0402, 2012.",
    "hmdb51": "Kuehne, Jhuang, Garrote, Poggio, Serre. HMDB: A Large Video Database for Human "
    "Motion Recognition. ICCV 2011.",
    "kinetics400": "Kay et al. The Kinetics Human Action Video Dataset. arXiv:1705.06950, 2017.",
    "kinetics600": "Carreira, Noland, Banki-Horvath, Hillier, Zisserman. A Short Note about "
    "Kinetics-600. arXiv:1808.01340, 2018.",
    "ssv2": 'Goyal et al. The "something something" video database for learning and evaluating '
    "visual common sense. ICCV 2017.",
    "activitynet": "Caba Heilbron, Escorcia, Ghanem, Niebles. ActivityNet: A Large-Scale Video "
    "Benchmark for Human Activity Understanding. CVPR 2015.",
}
_OWN_TERMS = {
    "toy": "rendered by a program; it shows nobody and holds nothing of anybody else's",
    "custom": "not known to the program that wrote this card: say here what may be done with these "
    "videos before anyone else gets them",
}


def about(benchmark: str) -> About:
    """Title, creator, paper, official place and terms of a benchmark, or of "custom"."""
    place = PLACES.get(benchmark)
    terms = place.terms if place else _OWN_TERMS[benchmark]
    return About(_TITLES[benchmark], _CREATORS[benchmark], _PAPERS.get(benchmark, ""), place, terms)
