"""croissant.json holds together: every name it uses is declared, every hash is that of a file."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from prep.hub.about import about
from prep.hub.contents import read_set
from prep.hub.croissant import croissant, croissant_text
from tests.prep.hub.sets import named, parted, shared


@pytest.fixture(scope="module", params=[shared, parted])
def described(request, tmp_path_factory):
    """A set, and its metadata as JSON values."""
    store = request.param(tmp_path_factory.mktemp("set") / "custom")
    text = croissant_text(read_set("custom", store.folder), about("custom"))
    return store, json.loads(text)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def test_every_reference_is_declared_once(described):
    _, content = described
    content = {name: value for name, value in content.items() if name != "@context"}
    nodes = list(_nodes(content))
    declared = [node["@id"] for node in nodes if "@id" in node and "@type" in node]
    assert len(declared) == len(set(declared))
    used = {node["@id"] for node in nodes if "@id" in node and "@type" not in node}
    assert used <= set(declared)


def test_every_key_is_of_the_vocabulary(described):
    """Terms are schema.org's, or the context says what they are."""
    _, content = described
    plain = {"name", "description", "version", "license", "url", "keywords", "identifier"}
    plain |= {"alternateName", "distribution", "contentUrl", "contentSize", "containedIn"}
    plain |= {"encodingFormat", "sha256", "creator", "datePublished"}
    known = plain | set(content["@context"]) | {"@context", "@type", "@id"}
    body = {k: v for k, v in copy.deepcopy(content).items() if k != "@context"}
    records = [r.pop("data") for r in body["recordSet"] if "data" in r]
    assert records
    assert {key for node in _nodes(body) for key in node} <= known


def test_files_have_the_recorded_hashes(described):
    store, content = described
    files = [node for node in content["distribution"] if node["@type"] == "cr:FileObject"]
    assert len(files) == len(store.info.shards) + 1
    for file in files:
        data = (store.folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["contentSize"] == f"{len(data)} B"


def test_fields_are_the_columns(described):
    store, content = described
    (clips,) = (records for records in content["recordSet"] if records["@id"] == "clips")
    columns = [field["source"]["extract"]["column"] for field in clips["field"]]
    assert sorted(columns) == sorted(pq.read_schema(store.folder / "samples.parquet").names)


def test_every_property_that_the_format_requires_is_there(described):
    store, content = described
    assert content["@type"] == "sc:Dataset"
    assert content["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    for name in ("name", "description", "url", "license", "creator", "distribution"):
        assert content[name], name
    assert content["license"]["@type"] == "sc:CreativeWork"
    assert content["creator"]["@type"] == "sc:Organization"
    written = (store.folder / "dataset.json").stat().st_mtime
    assert content["datePublished"] == time.strftime("%Y-%m-%d", time.gmtime(written))


def test_of_the_same_set_only_the_day_moves(described, tmp_path):
    store, content = described
    later = shutil.copytree(store.folder, tmp_path / "custom")
    os.utime(later / "dataset.json", (1e9, 1e9))
    other = croissant(read_set("custom", later), about("custom"))
    assert other.pop("datePublished") == "2001-09-09"
    assert other == {k: v for k, v in content.items() if k != "datePublished"}


def test_terms_and_paper_of_a_benchmark(tmp_path):
    store = named(tmp_path / "hmdb51", "hmdb51")
    told = about("hmdb51")
    content = croissant(read_set("hmdb51", store.folder), told)
    assert content["license"] == content["url"] == told.link
    assert content["creator"]["name"] == told.creator
    assert content["citeAs"] == told.paper
    (classes,) = (records for records in content["recordSet"] if records["@id"] == "classes")
    assert [row["classes/name"] for row in classes["data"]] == list(store.classes.names)
