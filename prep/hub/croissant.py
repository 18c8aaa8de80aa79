"""croissant.json: the repository for programs, in the Croissant 1.0 vocabulary of MLCommons.

::

    distribution   every tar and samples.parquet with its sha256; the three kinds of members
    classes        official id and name of each class, in the file itself
    clips          a record a clip: the columns of samples.parquet
    videos         a record a clip: its JPEGs end to end, out of the tars
    sidecars       a record a clip: what its .json says, the lengths of those JPEGs among it

Addresses are relative to the file, so it holds for the folder and for the repository alike. Every
property that Croissant 1.0 requires is there. ``datePublished`` is the day on which dataset.json
was written: the set knows no later one, and the same set gives the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from prep.hub.about import About
from prep.hub.card import holdings
from prep.hub.contents import HubSet, RepoFile
from prep.hub.target import CARD
from shards.info import DATASET_JSON
from shards.records import FRAME_FIELDS, record_schema
from shards.tables import SAMPLES

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEMBERS = {
    "cls": ("text/plain", "official class id in ASCII, -1 where none is published"),
    "json": ("application/json", "key, names, splits, sizes and numbers of the frames"),
    "mjpg": ("video/x-motion-jpeg", "the JPEGs of the clip end to end"),
}


def croissant_text(found: HubSet, told: About) -> str:
    """The file, as JSON-LD."""
    return json.dumps(croissant(found, told), indent=1, ensure_ascii=False) + "\n"


def croissant(found: HubSet, told: About) -> dict[str, Any]:
    """The metadata as JSON values; the same for the same set."""
    info = found.info
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{info.benchmark}-shards",
        "alternateName": f"{told.title} as shards of JPEG frames",
        "description": " ".join([*holdings(found), f"Terms: {told.terms}."]),
        "license": told.link or {"@type": "sc:CreativeWork", "description": told.terms},
        "url": told.link or CARD,
        "creator": {"@type": "sc:Organization", "name": told.creator},
        "datePublished": _finished(found),
        **({"citeAs": told.paper} if told.paper else {}),
        "version": f"1.0.0+{info.identity[:12]}",
        "identifier": info.identity,
        "keywords": ["action recognition", "video", info.benchmark],
        "distribution": list(_distribution(found)),
        "recordSet": [
            _classes(info.header.classes),
            _clips(info.splits),
            _members("videos", "mjpg", "sc:VideoObject", _MEMBERS["mjpg"][1]),
            _members("sidecars", "json", "sc:Text", _MEMBERS["json"][1]),
        ],
    }


def _finished(found: HubSet) -> str:
    """The day, in UTC, on which the set's dataset.json was written."""
    (info,) = (file for file in found.files if file.place == DATASET_JSON)
    return datetime.fromtimestamp(info.time_ns / 1e9, timezone.utc).date().isoformat()


def _distribution(found: HubSet) -> Iterator[dict[str, Any]]:
    for tar in found.tars:
        yield _file_object(tar, "application/x-tar")
    (table,) = (file for file in found.files if file.place == SAMPLES)
    yield _file_object(table, "application/x-parquet")
    tars = [{"@id": tar.place} for tar in found.tars]
    for extension, (kind, said) in _MEMBERS.items():
        yield {
            "@type": "cr:FileSet",
            "@id": extension,
            "description": said,
            "containedIn": tars,
            "encodingFormat": kind,
            "includes": f"*.{extension}",
        }


def _file_object(file: RepoFile, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.place,
        "name": file.place,
        "contentUrl": file.place,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": kind,
        "sha256": file.sha256,
    }


def _classes(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "Official class ids and names.",
        "key": {"@id": "classes/id"},
        "field": [_field("classes", "id", "sc:Integer"), _field("classes", "name", "sc:Text")],
        "data": [{"classes/id": i, "classes/name": name} for i, name in enumerate(names)],
    }


def _clips(splits: tuple[str, ...]) -> dict[str, Any]:
    schema = record_schema(splits)
    kinds = {field.name: field.type for field in schema if field.name not in FRAME_FIELDS}
    fields = []
    for name, kind in {**kinds, "shard": pa.string()}.items():
        source = {"fileObject": {"@id": SAMPLES}, "extract": {"column": name}}
        fields.append({**_field("clips", name, _data_type(kind)), "source": source})
    return {
        "@type": "cr:RecordSet",
        "@id": "clips",
        "name": "clips",
        "description": "A record a stored clip: names, class, official splits, source, size.",
        "key": {"@id": "clips/key"},
        "field": fields,
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def _members(name: str, extension: str, kind: str, said: str) -> dict[str, Any]:
    """Key and content of one kind of member. The content is whole, .json too: programs that read
    Croissant look for single fields in plain files, not in members of a tar."""
    files = {"fileSet": {"@id": extension}}
    key = {
        **files,
        "extract": {"fileProperty": "filename"},
        "transform": {"regex": rf"^(.*)\.{extension}$"},
    }
    content = {**files, "extract": {"fileProperty": "content"}}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"A record a stored clip: {said}.",
        "key": {"@id": f"{name}/key"},
        "field": [
            {**_field(name, "key", "sc:Text"), "source": key},
            {**_field(name, extension, kind), "source": content},
        ],
    }


def _field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": f"{record_set}/{name}",
        "dataType": kind,
    }
