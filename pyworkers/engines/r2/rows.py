"""The tables of a bucket, and how an object becomes a row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Any, Final

from pyworkers.engines.r2.protocol import R2Attributes, R2Object

SCHEMA_VERSION: Final = 2

# `blob` names a file; where it is NULL the body is in `small_bodies`. `checksums` holds what the writer gave; the MD5
# of an object that was written whole is its etag. An upload's `checksum` is what the S3 API was asked to compute of its
# parts, such as `crc32 COMPOSITE`, and a part's that digest.
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS objects (
    key TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    uploaded_ms INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    http_metadata TEXT NOT NULL,
    cache_expires_ms INTEGER,
    custom_metadata TEXT NOT NULL,
    storage_class TEXT,
    blob TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS small_bodies (key TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS object_deleted AFTER DELETE ON objects WHEN old.blob IS NULL
    BEGIN DELETE FROM small_bodies WHERE key = old.key; END;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'completed', 'aborted')),
    created_ms INTEGER NOT NULL,
    http_metadata TEXT NOT NULL,
    cache_expires_ms INTEGER,
    custom_metadata TEXT NOT NULL,
    storage_class TEXT,
    checksum TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    uploaded_ms INTEGER NOT NULL,
    blob TEXT,
    data BLOB,
    checksum BLOB,
    PRIMARY KEY (upload, number)
);
CREATE TABLE IF NOT EXISTS bucket (created_ms INTEGER NOT NULL);
"""

# What makes a version's tables those of the next.
MIGRATIONS: Final = {
    1: """
ALTER TABLE uploads ADD COLUMN checksum TEXT;
ALTER TABLE parts ADD COLUMN checksum BLOB;
CREATE TABLE bucket (created_ms INTEGER NOT NULL);
""",
}

OBJECT_COLUMNS: Final = (
    "key, version, size, etag, uploaded_ms, checksums, http_metadata, cache_expires_ms, custom_metadata, storage_class"
)
ATTRIBUTE_COLUMNS: Final = "http_metadata, cache_expires_ms, custom_metadata, storage_class"
PART_COLUMNS: Final = "number, etag, size, md5, uploaded_ms, blob, data, checksum"


def sql(text: str) -> str:
    """Return SQL with ``$object``, ``$attributes`` and ``$part`` replaced by those columns."""
    columns = {"object": OBJECT_COLUMNS, "attributes": ATTRIBUTE_COLUMNS, "part": PART_COLUMNS}
    return Template(text).substitute(columns)


def object_of(row: tuple[Any, ...]) -> R2Object:
    """Return the object of a row of `OBJECT_COLUMNS`."""
    key, version, size, etag, uploaded_ms, checksums = row[:6]
    sums = {name: bytes.fromhex(value) for name, value in json.loads(checksums).items()}
    if len(etag) == 32:
        sums["md5"] = bytes.fromhex(etag)
    return R2Object(key, version, size, etag, uploaded_ms, sums, attributes_of(row[6:10]))


def row_of(found: R2Object) -> tuple[Any, ...]:
    """Return an object as a row of `OBJECT_COLUMNS`."""
    sums = {name: value.hex() for name, value in found.checksums.items() if name != "md5"}
    head = (found.key, found.version, found.size, found.etag, found.uploaded_ms, _json(sums))
    return (*head, *attribute_row(found.attributes))


def attributes_of(row: tuple[Any, ...]) -> R2Attributes:
    """Return the attributes of a row of `ATTRIBUTE_COLUMNS`."""
    http, cache_expires_ms, custom, storage_class = row
    return R2Attributes(json.loads(http), cache_expires_ms, json.loads(custom), storage_class)


def attribute_row(attributes: R2Attributes) -> tuple[Any, ...]:
    """Return attributes as a row of `ATTRIBUTE_COLUMNS`."""
    return (
        _json(attributes.http),
        attributes.cache_expires_ms,
        _json(attributes.custom),
        attributes.storage_class,
    )


def _json(fields: Mapping[str, str]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False) if fields else "{}"
