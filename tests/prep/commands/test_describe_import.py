"""`prep describe import` and `lint` of made files: defects counted once, mistakes one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manifests.classes import load_classes
from manifests.descriptions import find_descriptions
from tests.prep.commands.describing import STEP, TOY, brought
from tests.prep.commands.said import refused, said

NAMES = TOY.names
FILE = "2_s_description_toy.json"


def made(path: Path, texts: dict[Any, Any]) -> Path:
    path.write_text(json.dumps(texts))
    return path


def fine() -> dict[str, list[str]]:
    """Two spatial sentences for each toy class, by number."""
    return {
        str(i): [f"A video about {name}, near.", f"A video about {name}, far."]
        for i, name in enumerate(NAMES)
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
    raw["8"] = [f"A video about {NAMES[8].replace(' ', '')}.", "A video about it."]
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
        "conflicts": 0,
        "mixed_names": 0,
        "over_32": 2,
        "over_77": 1,
    }
    assert report["split"] == [NAMES[0], NAMES[7]]
    kept = find_descriptions("toy", tmp_path / "toy", "spatial", 2)
    assert kept is not None
    assert kept.of(NAMES[0]) == ("A video about a bow.", "It is drawn.")
    assert kept.of(NAMES[1]) == ("A video about one. Two. Three.",)
    assert kept.of(NAMES[4]) == ("A video about rain.",)
    assert kept.of(NAMES[7]) == ("A video about a bare text.", "And so on.")
    as_it_was = brought(tmp_path / "2_s_description_toy.json", tmp_path / "raw", "--as-published")
    assert as_it_was["split"] == []
    raw_kept = find_descriptions("toy", tmp_path / "raw/toy", "spatial", 2)
    assert raw_kept is not None
    assert raw_kept.of(NAMES[0]) == tuple(raw["0"])
    assert raw_kept.of(NAMES[4]) == tuple(raw["4"])


def test_steps_and_the_names_in_them(tmp_path):
    def step(name: str, text: str, head: str = "A video of") -> str:
        return f"{head} {name} {STEP}{text}, which is a sub-step."

    raw = {str(i): [step(name, "so"), step(f"a {name}", "on")] for i, name in enumerate(NAMES)}
    raw["0"] = [step(NAMES[0], "(so)", "A videos of"), step(NAMES[0].upper(), "[on] and on")]
    raw["1"] = [step("another thing", "so"), step(NAMES[1], "on")]
    raw["2"] = [step("another thing", "so"), step("another thing", "on")]
    raw["3"] = ["It begins.", "A video of nothing, which is a sub-step."]
    raw["4"] = [step(NAMES[5], "so"), step(NAMES[5], "on")]  # another class of the benchmark
    counts = brought(made(tmp_path / "2_t_description_toy.json", raw), tmp_path)["counts"]
    noted = ("off_pattern", "slips", "bracketed", "other_name", "conflicts", "mixed_names")
    assert [counts[key] for key in noted] == [2, 1, 2, 5, 2, 1]


def test_a_file_of_another_order_is_refused(tmp_path):
    """A name in most sentences that is another class's: the numbers are not ours."""
    names = [*NAMES[1:], NAMES[0]]
    texts = {
        str(i): [f"A video of {n} {STEP}so, which is a sub-step."] for i, n in enumerate(names)
    }
    path = made(tmp_path / "1_t_description_toy.json", texts)
    line = refused("describe", "import", path, "--out", tmp_path)
    assert f"{len(NAMES)} of {len(NAMES)} sentences name another class" in line
    assert "--labels" in line
    assert not (tmp_path / "toy").exists()
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(f"{i},{name}\n" for i, name in enumerate(names)))
    assert brought(path, tmp_path, "--labels", labels)["counts"]["conflicts"] == 0


def test_nothing_in_a_report_moves_the_cursor(tmp_path):
    path = made(tmp_path / FILE, {**fine(), "0": ["\x1b[2Jso\nand", "A video about it."]})
    text = said("describe", "import", path, "--out", tmp_path).out
    assert f"first: {NAMES[0]}:  [2Jso and" in text
    assert "\x1b" not in text


def test_one_file_brought_in_two_ways_is_not_replaced_unasked(tmp_path):
    path = made(tmp_path / FILE, {**fine(), "0": ["A video about a bow. It is drawn."]})
    brought(path, tmp_path)
    line = refused("describe", "import", path, "--out", tmp_path, "--as-published")
    assert f"other sentences for 1 of these classes ({NAMES[0]!r})" in line


def test_a_class_without_sentences_makes_it_unfit(tmp_path):
    path = made(tmp_path / "2_s_description_toy.json", {**fine(), "5": [], "6": [" "]})
    found = said("describe", "import", path, "--out", tmp_path, "--json")
    assert (found.code, found.json["items"]["missing"]) == (1, [NAMES[5], NAMES[6]])
    text = said("describe", "lint", "--dataset", "toy", "--kind", "spatial", "--out", tmp_path)
    assert text.code == 1
    assert f"missing: 2 classes, no sentence at all; first: {NAMES[5]}" in text.out


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
    rows = [f"{i},{name.upper()}" for i, name in enumerate(reversed(NAMES))]
    labels.write_bytes("\r\n".join(["\ufeffid,name", *rows, ""]).encode())
    path = made(tmp_path / "2_s_description_toy.json", fine())
    brought(path, tmp_path, "--labels", labels)
    kept = find_descriptions("toy", tmp_path / "toy", "spatial", 2)
    assert kept is not None
    assert kept.of(NAMES[-1]) == tuple(fine()["0"])
    assert kept.source["files"][0]["order"] == "labels.csv"


def test_labels_with_bare_commas(tmp_path):
    names = load_classes("ssv2").names
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(f"{i},{name}" for i, name in enumerate(names)))
    assert any("," in name for name in names)
    texts = {str(i): ["A video about a."] for i in range(len(names))}
    path = made(tmp_path / "1_s_description_ssv2.json", texts)
    assert brought(path, tmp_path, "--labels", labels)["classes"] == len(names)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps({str(i): ["a", "b"] for i in range(5)}), "has 5 classes, toy, all classes,"),
        (json.dumps({f"{i}": ["a"] for i in range(1, len(NAMES) + 1)}), f"key '{len(NAMES)}'"),
        (json.dumps({**fine(), "x": ["a"]}), "key 'x' is no class number"),
        (json.dumps({**fine(), "-1": ["a"]}), "key '-1' is no class number"),
        (json.dumps({**fine(), "01": ["a"]}), "key '01' is no class number"),
        (json.dumps({**fine(), "3": [["a"]]}), "the sentences of key '3' are no list of texts"),
        (json.dumps({**fine(), "9" * 5000: ["a"]}), "is no class number"),
        (json.dumps({**fine(), "3": ["a\ud800b"]}), "a sentence of key '3' holds half a sign"),
        (json.dumps({k: v for k, v in fine().items() if k != "7"}), "and lacks key '7'"),
        (json.dumps({**fine(), "3": None}), "the sentences of key '3' are no list of texts"),
        ('{"0": ["a"], "0": ["b"]}', "key '0' stands twice"),
        ("[]", "is no published file"),
        ("{}", "is no published file"),
        ("{", "is no published file"),
        ("\ud800", "is no published file"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, content, says):
    path = tmp_path / FILE
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert says in refused("describe", "import", path, "--out", tmp_path)
    assert not (tmp_path / "toy").exists()


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("sentences.json", (), "does not tell --dataset"),
        ("sentences.json", ("--dataset", "toy"), "does not tell --kind"),
        ("sentences.json", ("--dataset", "toy", "--kind", "spatial"), "does not tell --n"),
        (FILE, ("--dataset", "nothing"), "no benchmark 'nothing'"),
        (FILE, ("--part", "zero-shot-1"), "no zero-shot splits"),
        (FILE, ("--labels", "/nowhere.csv"), "no label file /nowhere.csv"),
        (FILE, ("--dataset", "ucf101"), "has 24 classes, ucf101, all classes, has 101"),
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
    labels.write_text("id,name\n" + rows.format(*NAMES))
    refused("describe", "import", made(tmp_path / FILE, fine()), "--labels", labels)


def test_a_file_that_is_not_there():
    assert "no file /nowhere/2_s_toy.json" in refused("describe", "import", "/nowhere/2_s_toy.json")


def test_other_sentences_are_not_replaced_unasked(tmp_path):
    brought(made(tmp_path / FILE, fine()), tmp_path)
    stored = tmp_path / "toy/descriptions/spatial-2.json"
    before = stored.read_bytes()
    other = made(tmp_path / FILE, {**fine(), "3": ["A video about a.", "A video about b."]})
    line = refused("describe", "import", other, "--out", tmp_path)
    assert f"other sentences for 1 of these classes ({NAMES[3]!r})" in line
    assert stored.read_bytes() == before
    assert brought(other, tmp_path, "--anew")["state"] == "written"
    assert stored.read_bytes() != before


def test_lint_of_what_is_not_there_or_foreign(tmp_path):
    words = ("describe", "lint", "--dataset", "toy", "--kind", "spatial", "--out", tmp_path)
    assert "prep describe --dataset toy --n 2" in refused(*words)
    brought(made(tmp_path / FILE, fine()), tmp_path)
    stored = tmp_path / "toy/descriptions/spatial-2.json"
    stored.write_text(stored.read_text().replace(NAMES[0], "dancing"))
    assert "has other content than was written" in refused(*words)
    record = json.loads(stored.read_text().replace("dancing", NAMES[0]))
    record.pop("sha256")  # changed by somebody who means it
    text = json.dumps(record)
    stored.write_text(text.replace('"benchmark": "toy"', '"benchmark": "ssv2"'))
    assert "made for ssv2" in refused(*words)
    stored.write_text(text.replace(f'"{NAMES[0]}"', '"dancing"'))
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
