"""`prep describe import` of every published file: by class name, its defects counted.

What is expected is counted here from the raw JSON and the published label lists, in other words
than the command's own.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from manifests.classes import load_classes
from manifests.descriptions import find_descriptions, parse_descriptions
from manifests.protocols import published_order
from tests.prep.commands.describing import STEP, brought
from tests.prep.commands.said import said

OWN_NAMES = {
    "hmdb": "hmdb51",
    "ucf": "ucf101",
    "ucf_101": "ucf101",
    "ssv2": "ssv2",
    "sth": "ssv2",
    "k400": "kinetics400",
    "k600": "kinetics600",
}
LABELS = {
    "hmdb51": "hmdb_51",
    "ucf101": "ucf_101",
    "ssv2": "ssv2_174",
    "kinetics400": "kinetics_400",
    "kinetics600": "kinetics_600",
}


def etl_files(folder: Path) -> list[Path]:
    files = sorted((folder / "ETL4Video").glob("*_description_*.json"))
    if not files:
        pytest.skip(f"no ETL4Video files in {folder}")
    return files


def etl_words(path: Path) -> tuple[int, str, str, str]:
    """N, kind, dataset and part, taken apart by hand."""
    n, letter, rest = path.stem.replace("_description", "").split("_", 2)
    part = next((word for word in ("base", "novel") if rest.endswith(word)), "all")
    kind = "spatial" if letter == "s" else "temporal"
    return int(n), kind, OWN_NAMES[rest.removesuffix(f"_{part}")], part


def bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def raw_counts(raw: dict[str, list[str]], names: list[str], kind: str, n: int) -> dict[str, int]:
    """The defects of a file, by other means than those of the command."""
    flat = [text for texts in raw.values() for text in texts]
    sets = [{bare(text) for text in texts} for texts in raw.values()]
    owners = Counter(key for keys in sets for key in keys)
    counts = {
        "missing": sum(not texts for texts in raw.values()),
        "ragged": sum(len(texts) != n for texts in raw.values()),
        "run_together": sum(
            len(texts) < n and any(text.rstrip(" .").count(". ") for text in texts)
            for texts in raw.values()
        ),
        "empty": sum(not text.split() for text in flat),
        "duplicates_inside": sum(
            len(keys) < len(texts) for keys, texts in zip(sets, raw.values(), strict=True)
        ),
        "duplicates_across": sum(number > 1 for number in owners.values()),
    }
    if kind == "spatial":
        counts["off_pattern"] = sum(text[:13] != "A video about" for text in flat)
        counts["slips"] = counts["bracketed"] = 0
    else:
        formed = [
            text
            for text in flat
            if text.startswith(("A video of ", "A videos of "))
            and f" {STEP}" in text
            and text.endswith(", which is a sub-step.")
        ]
        counts["off_pattern"] = len(flat) - len(formed)
        counts["slips"] = sum(text.startswith("A videos") for text in formed)
        counts["bracketed"] = sum(text.split(STEP)[1][0] in "([" for text in formed)
    counts["glued"] = sum(
        bool(re.search(rf"\b{bare(name)}\b", text.lower()))
        for name, texts in zip(names, raw.values(), strict=True)
        if len(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").split()) > 1
        and name != "YoYo"
        for text in texts
    )
    return counts


def token_counts(texts: list[str]) -> tuple[int, int]:
    """Sentences over 32 and 77 ids, by the trainer's own tokenizer."""
    from train.models.tokenizer import Tokenizer

    tokenizer = Tokenizer(context=10_000)
    ends = tokenizer.encode(texts).argmax(dim=1) + 1  # the end mark is the largest id
    return int((ends > 32).sum()), int((ends > 77).sum())


def test_all_etl4video_files(descriptions, tmp_path):
    for path in etl_files(descriptions):
        n, kind, dataset, part = etl_words(path)
        raw = json.loads(path.read_text())
        names = list(published_order(dataset, part))
        report = brought(path, tmp_path / path.stem)
        assert (report["benchmark"], report["kind"], report["n"]) == (dataset, kind, n), path
        assert (report["part"], report["classes"]) == (part, len(raw)), path
        assert report["sentences"] == sum(map(len, raw.values())), path
        expected = raw_counts(raw, names, kind, n)
        assert {key: report["counts"][key] for key in expected} == expected, path
        flat = [text for texts in raw.values() for text in texts]
        found = (report["counts"]["over_32"], report["counts"]["over_77"])
        assert found == token_counts(flat), path
        kept = find_descriptions(dataset, tmp_path / path.stem / dataset, kind, n)
        assert kept is not None
        whole = {name: raw[str(i)] for i, name in enumerate(names) if len(raw[str(i)]) == n}
        assert {name: list(kept.of(name)) for name in whole} == whole, path
        assert set(kept.sentences) == set(names), path
        assert len(report["without"]) == len(load_classes(dataset)) - len(names), path


def test_all_ost_files(descriptions, tmp_path):
    paths = sorted((descriptions / "OST").rglob("*_descriptors.json"))
    if not paths:
        pytest.skip("no OST files")
    for number, path in enumerate(paths):
        raw = json.loads(path.read_text())
        folders = path.relative_to(descriptions / "OST").parts
        dataset = next(OWN_NAMES[name] for name in folders if name in OWN_NAMES)
        n = int(next(word for word in path.stem.split("_") if word.isdigit()))
        kind = "spatial" if "spatio" in str(path.relative_to(descriptions)) else "temporal"
        report = brought(path, tmp_path / str(number))
        assert (report["benchmark"], report["kind"], report["n"]) == (dataset, kind, n), path
        assert (report["classes"], report["usable"]) == (len(raw), True), path
        split = next((name[-1] for name in folders if name.startswith("split")), None)
        if split:
            assert report["part"] == f"zero-shot-{split}", path
        elif len(raw) != len(load_classes(dataset)):
            assert (report["part"], len(raw)) == ("zero-shot", 217), path
        else:
            names = list(published_order(dataset))
            expected = raw_counts(raw, names, kind, n)
            assert {key: report["counts"][key] for key in expected} == expected, path


def test_the_label_lists_give_the_same_order(descriptions, published, tmp_path):
    labels = published / "ViFi-CLIP/labels"
    for path in etl_files(descriptions):
        n, kind, dataset, part = etl_words(path)
        suffix = "" if part == "all" else f"_{part}"
        names = [f"{LABELS[dataset]}{suffix}_labels.csv", f"{dataset}{suffix}_labels.csv"]
        found = [labels / name for name in names if (labels / name).is_file()]
        if n != 2 or not found:
            continue
        plain, labelled = tmp_path / path.stem, tmp_path / f"{path.stem}-labels"
        brought(path, plain)
        brought(path, labelled, "--labels", found[0])
        name = f"{dataset}/descriptions/{kind}-{n}.json"
        classes = [json.loads((out / name).read_text())["classes"] for out in (plain, labelled)]
        assert classes[0] == classes[1], path
        rows = list(csv.DictReader(found[0].read_text().splitlines()))
        raw = json.loads(path.read_text())
        known = load_classes(dataset)
        for row in rows:
            official = known.names[known.id_of(row["name"])]
            assert classes[0][official] == raw[row["id"]], (path, row)


def test_hmdb_is_joined_by_what_its_sentences_say(descriptions, tmp_path):
    """Some files number as the label list does (20 = kick ball, 44 = sword exercise), some not."""
    files = [
        *sorted((descriptions / "ETL4Video").glob("*_description_hmdb.json")),
        *sorted((descriptions / "OST").rglob("hmdb/*/*_descriptors.json")),
    ]
    if not files:
        pytest.skip(f"no files for HMDB-51 in {descriptions}")
    orders = set()
    for number, path in enumerate(files):
        report = brought(path, tmp_path / str(number))
        orders.add(report["order"])
        stored = json.loads(Path(report["file"]).read_text())["classes"]
        for plain, more, word in (
            ("kick", "kick_ball", "ball"),
            ("sword", "sword_exercise", "exercise"),
        ):
            with_word = [
                sum(word in text.lower().split() for text in stored[name]) for name in (plain, more)
            ]
            assert with_word[0] <= with_word[1], (path, plain, stored[plain], stored[more])
    assert orders == {"all", "all, as clip lists"}


def test_the_names_in_steps_are_those_of_their_class(descriptions, tmp_path):
    files = [path for path in etl_files(descriptions) if etl_words(path)[1] == "temporal"]
    for path in files:
        assert brought(path, tmp_path / path.stem)["counts"]["conflicts"] == 0, path
    half = descriptions / "ETL4Video/2_t_description_ssv2_base.json"  # 87 classes, as the novel one
    found = said("describe", "import", half, "--part", "novel", "--out", tmp_path / "wrong")
    assert (found.code, found.out) == (1, "")
    assert "sentences name another class" in found.err


def test_halves_join_to_the_whole(descriptions, tmp_path):
    for whole in etl_files(descriptions):
        halves = [whole.with_name(f"{whole.stem}_{half}.json") for half in ("novel", "base")]
        if not all(half.is_file() for half in halves):
            continue
        n, kind, dataset, _ = etl_words(whole)
        brought(whole, tmp_path / "whole")
        first = brought(halves[0], tmp_path / "halves")
        assert first["state"] == "written"
        words = ("--dataset", dataset, "--n", n, "--kind", kind, "--out", tmp_path / "halves")
        unfit = said("describe", "lint", *words, "--json")
        assert (unfit.code, unfit.json["files"][0]["usable"]) == (1, False)
        assert said("describe", "lint", *words, "--part", "novel").code == 0
        second = brought(halves[1], tmp_path / "halves")
        assert (second["state"], second["without"]) == ("joined", [])
        assert said("describe", "lint", *words).code == 0
        name = f"{dataset}/descriptions/{kind}-{n}.json"
        one, two = (
            parse_descriptions((tmp_path / out / name).read_bytes(), name)
            for out in ("whole", "halves")
        )
        assert one.sentences == two.sentences
        assert [file["order"] for file in two.source["files"]] == ["base", "novel"]
        assert brought(halves[0], tmp_path / "halves")["state"] == "already there"
