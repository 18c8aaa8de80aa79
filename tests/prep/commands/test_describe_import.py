"""`prep describe import` and `lint`: published files by class name, their defects counted.

What is expected is counted here from the raw JSON and the published label lists, in other words
than the command's own.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from manifests.classes import load_classes
from manifests.descriptions import find_descriptions, parse_descriptions
from manifests.protocols import published_order
from tests.prep.commands.said import refused, said

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
STEP = "generally involves the following step: "


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


def brought(path: Path, out: Path, *words: object) -> dict[str, Any]:
    found = said("describe", "import", path, "--out", out, "--json", *words)
    assert found.code == 0, found.err
    return found.json


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


TOY = load_classes("toy").names


def made(path: Path, texts: dict[Any, Any]) -> Path:
    path.write_text(json.dumps(texts))
    return path


def fine() -> dict[str, list[str]]:
    """Two spatial sentences for each toy class, by number."""
    return {
        str(i): [f"A video about {name}, near.", f"A video about {name}, far."]
        for i, name in enumerate(TOY)
    }


def test_each_defect_is_counted_once(tmp_path):
    raw: dict[str, Any] = fine()
    raw["0"] = ["A video about a bow. It is drawn."]  # run together, and surely two
    raw["1"] = ["A video about one. Two. Three."]  # run together, but three of two
    raw["2"] = ["A video about a cat.", "a video about a CAT"]  # twice; the second off-pattern
    raw["3"] = ["A video about sun.", "A video about sea.", "A video about sky."]  # too many
    raw["4"] = ["A video about rain.", " "]
    raw["5"] = ["A video about sun!", "Something else."]  # shared with 3
    raw["6"] = ["A video about " + "word " * 40, "A video about " + "word " * 80]
    raw["7"] = "A video about a bare text. And so on."
    raw["8"] = [f"A video about {TOY[8].replace(' ', '')}.", "A video about it."]
    report = brought(made(tmp_path / "2_s_description_toy.json", raw), tmp_path)
    assert report["counts"] == {
        "missing": 0,
        "ragged": 4,
        "run_together": 3,
        "empty": 1,
        "duplicates_inside": 1,
        "duplicates_across": 1,
        "off_pattern": 2,
        "slips": 0,
        "bracketed": 0,
        "glued": 1,
        "other_name": 0,
        "mixed_names": 0,
        "over_32": 2,
        "over_77": 1,
    }
    assert report["split"] == [TOY[0], TOY[7]]
    kept = find_descriptions("toy", tmp_path / "toy", "spatial", 2)
    assert kept is not None
    assert kept.of(TOY[0]) == ("A video about a bow.", "It is drawn.")
    assert kept.of(TOY[1]) == ("A video about one. Two. Three.",)
    assert kept.of(TOY[4]) == ("A video about rain.",)
    assert kept.of(TOY[7]) == ("A video about a bare text.", "And so on.")
    as_it_was = brought(tmp_path / "2_s_description_toy.json", tmp_path / "raw", "--as-published")
    assert as_it_was["split"] == []
    raw_kept = find_descriptions("toy", tmp_path / "raw/toy", "spatial", 2)
    assert raw_kept is not None
    assert raw_kept.of(TOY[0]) == tuple(raw["0"])
    assert raw_kept.of(TOY[4]) == tuple(raw["4"])


def test_steps_and_the_names_in_them(tmp_path):
    def step(name: str, text: str, head: str = "A video of") -> str:
        return f"{head} {name} {STEP}{text}, which is a sub-step."

    raw = {str(i): [step(name, "so"), step(f"a {name}", "on")] for i, name in enumerate(TOY)}
    raw["0"] = [step(TOY[0], "(so)", "A videos of"), step(TOY[0].upper(), "[on] and on")]
    raw["1"] = [step("another thing", "so"), step(TOY[1], "on")]
    raw["2"] = [step("another thing", "so"), step("another thing", "on")]
    raw["3"] = ["It begins.", "A video of nothing, which is a sub-step."]
    counts = brought(made(tmp_path / "2_t_description_toy.json", raw), tmp_path)["counts"]
    noted = ("off_pattern", "slips", "bracketed", "other_name", "mixed_names")
    assert [counts[key] for key in noted] == [2, 1, 2, 3, 1]


def test_a_class_without_sentences_makes_it_unfit(tmp_path):
    path = made(tmp_path / "2_s_description_toy.json", {**fine(), "5": [], "6": [" "]})
    found = said("describe", "import", path, "--out", tmp_path, "--json")
    assert (found.code, found.json["items"]["missing"]) == (1, [TOY[5], TOY[6]])
    text = said("describe", "lint", "--dataset", "toy", "--kind", "spatial", "--out", tmp_path)
    assert text.code == 1
    assert f"missing: 2 classes, no sentence at all; first: {TOY[5]}" in text.out


def test_nothing_to_note(tmp_path):
    path = made(tmp_path / "2_s_description_toy.json", fine())
    assert "48 sentences for 24 classes, nothing to note" in (
        said("describe", "import", path, "--out", tmp_path).out
    )


def test_said_words_win_over_the_name(tmp_path):
    path = made(tmp_path / "8_t_description_hmdb.json", fine())
    words = ("--dataset", "toy", "--kind", "spatial", "--n", 2)
    report = brought(path, tmp_path, *words)
    assert (report["benchmark"], report["kind"], report["n"]) == ("toy", "spatial", 2)


def test_an_order_of_its_own(tmp_path):
    labels = tmp_path / "labels.csv"
    rows = [f"{i},{name.upper()}" for i, name in enumerate(reversed(TOY))]
    labels.write_bytes("\r\n".join(["\ufeffid,name", *rows, ""]).encode())
    path = made(tmp_path / "2_s_description_toy.json", fine())
    brought(path, tmp_path, "--labels", labels)
    kept = find_descriptions("toy", tmp_path / "toy", "spatial", 2)
    assert kept is not None
    assert kept.of(TOY[-1]) == tuple(fine()["0"])
    assert kept.source["files"][0]["order"] == "labels.csv"


def test_labels_with_bare_commas(tmp_path):
    names = load_classes("ssv2").names
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(f"{i},{name}" for i, name in enumerate(names)))
    assert any("," in name for name in names)
    texts = {str(i): ["A video about a."] for i in range(len(names))}
    path = made(tmp_path / "1_s_description_ssv2.json", texts)
    assert brought(path, tmp_path, "--labels", labels)["classes"] == len(names)


NAME = "2_s_description_toy.json"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps({str(i): ["a", "b"] for i in range(5)}), "has 5 classes, toy, all classes,"),
        (json.dumps({f"{i}": ["a"] for i in range(1, len(TOY) + 1)}), f"key '{len(TOY)}'"),
        (json.dumps({**fine(), "x": ["a"]}), "key 'x' is no class number"),
        (json.dumps({**fine(), "-1": ["a"]}), "key '-1' is no class number"),
        (json.dumps({**fine(), "01": ["a"]}), "key '01' is no class number"),
        (json.dumps({**fine(), "3": [["a"]]}), "the sentences of key '3' are no list of texts"),
        (json.dumps({**fine(), "3": None}), "the sentences of key '3' are no list of texts"),
        ('{"0": ["a"], "0": ["b"]}', "key '0' stands twice"),
        ("[]", "is no published file"),
        ("{}", "is no published file"),
        ("{", "is no published file"),
        ("\ud800", "is no published file"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, content, says):
    path = tmp_path / NAME
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert says in refused("describe", "import", path, "--out", tmp_path)
    assert not (tmp_path / "toy").exists()


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("sentences.json", (), "does not tell --dataset"),
        ("sentences.json", ("--dataset", "toy"), "does not tell --kind"),
        ("sentences.json", ("--dataset", "toy", "--kind", "spatial"), "does not tell --n"),
        (NAME, ("--dataset", "nothing"), "no benchmark 'nothing'"),
        (NAME, ("--part", "zero-shot-1"), "no zero-shot splits"),
        (NAME, ("--labels", "/nowhere.csv"), "no label file /nowhere.csv"),
        (NAME, ("--dataset", "ucf101"), "has 24 classes, ucf101, all classes, has 101"),
    ],
)
def test_wrong_words_are_one_line(tmp_path, name, words, says):
    folder = tmp_path / "of"
    folder.mkdir()
    path = made(folder / name, fine())
    assert says in refused("describe", "import", path, "--out", tmp_path, *words)


@pytest.mark.parametrize("rows", ["0,nothing", "0", "a,b\nc,d", "0,{0}\n0,{1}", "0,{0}\n2,{1}"])
def test_wrong_labels_are_one_line(tmp_path, rows):
    labels = tmp_path / "labels.csv"
    labels.write_text("id,name\n" + rows.format(*TOY))
    refused("describe", "import", made(tmp_path / NAME, fine()), "--labels", labels)


def test_a_file_that_is_not_there():
    assert "no file /nowhere/2_s_toy.json" in refused("describe", "import", "/nowhere/2_s_toy.json")


def test_other_sentences_are_not_replaced_unasked(tmp_path):
    brought(made(tmp_path / NAME, fine()), tmp_path)
    stored = tmp_path / "toy/descriptions/spatial-2.json"
    before = stored.read_bytes()
    other = made(tmp_path / NAME, {**fine(), "3": ["A video about a.", "A video about b."]})
    line = refused("describe", "import", other, "--out", tmp_path)
    assert f"other sentences for 1 of these classes ({TOY[3]!r})" in line
    assert stored.read_bytes() == before
    assert brought(other, tmp_path, "--anew")["state"] == "written"
    assert stored.read_bytes() != before


def test_lint_of_what_is_not_there_or_foreign(tmp_path):
    words = ("describe", "lint", "--dataset", "toy", "--kind", "spatial", "--out", tmp_path)
    assert "prep describe --dataset toy --n 2" in refused(*words)
    brought(made(tmp_path / NAME, fine()), tmp_path)
    stored = tmp_path / "toy/descriptions/spatial-2.json"
    text = stored.read_text()
    stored.write_text(text.replace('"benchmark": "toy"', '"benchmark": "ssv2"'))
    assert "made for ssv2" in refused(*words)
    stored.write_text(text.replace(f'"{TOY[0]}"', '"dancing"'))
    assert "'dancing'" in refused(*words)
    stored.write_text("{")
    assert "make it again" in refused(*words)


def test_flags_alone_mean_ask_and_help_names_the_parts():
    overview = said("describe", "--help")
    assert overview.code == 0
    assert all(part in overview.out for part in ("ask", "import", "lint"))
    assert said("describe", "--dataset", "toy", "--odd").code == 2
    assert said("describe").code == 2
    assert said("describe", "imprt", "x").code == 2
