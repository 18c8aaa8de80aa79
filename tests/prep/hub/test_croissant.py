"""croissant.json holds together: every name it uses is declared, every hash is that of a file."""

from __future__ import annotations

import hashlib
import json
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
    plain |= {"encodingFormat", "sha256"}
    known = plain | set(content["@context"]) | {"@context", "@type", "@id"}
    body = {name: value for name, value in content.items() if name != "@context"}
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


def test_terms_and_paper_of_a_benchmark(tmp_path):
    store = named(tmp_path / "hmdb51", "hmdb51")
    told = about("hmdb51")
    content = croissant(read_set("hmdb51", store.folder), told)
    assert content["license"] == told.link
    assert content["citeAs"] == told.paper
    (classes,) = (records for records in content["recordSet"] if records["@id"] == "classes")
    assert [row["classes/name"] for row in classes["data"]] == list(store.classes.names)
