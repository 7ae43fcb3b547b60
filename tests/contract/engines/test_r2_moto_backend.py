"""moto's own backend calls, as its S3 protocol code makes them, on a bucket on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.s3.exceptions import EntityTooSmall, InvalidContinuationToken, InvalidPart, MissingBucket, NoSuchUpload
from moto.s3.models import FakeAcl, FakeBucket, FakeKey, FakeMultipart

from pyworkers.clock import ManualClock
from pyworkers.engines.r2 import R2Attributes
from pyworkers.engines.r2.moto_backend import DurableBackend, UnevenPartSizes
from pyworkers.engines.r2.moto_objects import DurableBucket, DurableKey
from pyworkers.engines.r2.store import BucketStore

PART = 5 * 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BucketStore]:
    store = BucketStore(tmp_path / "bucket", clock=ManualClock(1_700_000_000))
    store.open()
    yield store
    store.close()


@pytest.fixture
def backend(store: BucketStore) -> DurableBackend:
    backend = DurableBackend()
    backend.attach("photos", store)
    return backend


def put(backend: DurableBackend, *keys: str) -> None:
    for key in keys:
        backend.put_object("photos", key, key.encode())


def test_an_object_is_read_back_by_a_new_backend(backend: DurableBackend, store: BucketStore) -> None:
    data = bytes(range(256)) * 500
    backend.put_object("photos", "a/b", data)
    other = DurableBackend()
    other.attach("photos", store)
    key = other.get_object("photos", "a/b")
    assert key is not None
    assert (key.name, bytes(key.value), key.size) == ("a/b", data, len(data))
    assert key.etag == f'"{hashlib.md5(data).hexdigest()}"'
    assert key.last_modified_RFC1123 == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert key.metadata["content-type"] == "binary/octet-stream"
    assert other.head_object("photos", "a/b", version_id="null") is not None
    assert other.head_object("photos", "a/b", version_id="1") is None
    assert other.get_object("photos", "none") is None


def test_headers_set_after_a_put_are_the_attributes_of_the_object(backend: DurableBackend, store: BucketStore) -> None:
    key = backend.put_object("photos", "a", b"x")
    assert key is not None
    key.set_metadata(
        {
            "Content-Type": "image/png",
            "Cache-Control": "no-store",
            "Expires": "Tue, 06 May 2031 07:08:09 GMT",
            "x-amz-meta-Colour": "red",
        }
    )
    found = store.head("a")
    assert found is not None
    attributes = R2Attributes(
        {"content_type": "image/png", "cache_control": "no-store"}, 1_935_817_689_000, {"colour": "red"}
    )
    assert found.attributes == attributes
    again = backend.get_object("photos", "a")
    assert again is not None
    assert dict(again.metadata) == {
        "content-type": "image/png",
        "cache-control": "no-store",
        "expires": "Tue, 06 May 2031 07:08:09 GMT",
        "x-amz-meta-colour": "red",
    }


def test_headers_set_on_an_object_that_was_replaced_meanwhile_are_dropped(
    backend: DurableBackend, store: BucketStore
) -> None:
    old = backend.put_object("photos", "a", b"x")
    backend.put_object("photos", "a", b"y")
    assert old is not None
    old.set_metadata({"Content-Type": "image/png"})
    found = store.head("a")
    assert found is not None
    assert found.attributes == R2Attributes()


def test_listings_are_pages_of_keys_and_common_prefixes(backend: DurableBackend) -> None:
    put(backend, "a/1", "a/2", "b", "c/1", "d")
    bucket = backend.bucket("photos")

    def page(token: str | None) -> tuple[list[str], bool, str | None]:
        found, is_cut, following = backend.list_objects_v2(bucket, "", "/", token, None, 3)
        return [DurableBackend._get_name(item) for item in found], is_cut, following

    assert page(None) == (["a/", "b", "c/"], True, "Yy8x")
    assert page("Yy8x") == (["d"], False, None)
    with pytest.raises(InvalidContinuationToken):
        page("c/1")
    keys, prefixes, is_cut, marker = backend.list_objects(bucket, "a/", None, "a/1", None)
    assert ([key.name for key in keys], prefixes, is_cut, marker) == (["a/2"], [], False, None)
    assert backend.list_objects(bucket, None, None, None, 0) == ([], [], False, None)


def test_a_bucket_is_its_keys(backend: DurableBackend) -> None:
    bucket = backend.bucket("photos")
    assert not bucket.keys
    put(backend, *(f"{n:04}" for n in range(1001)))
    assert bucket.keys
    assert [key for key, _ in bucket.keys.items()] == [f"{n:04}" for n in range(1001)]
    assert "0007" in bucket.keys
    assert bytes(bucket.keys["0007"].value) == b"0007"
    assert [key.name for key in bucket.keys.getlist("0007")] == ["0007"]
    assert backend.delete_objects("photos", [{"Key": "0007"}, {"Key": "none"}]) == (
        [("0007", None, None), ("none", None, None)],
        [],
    )
    assert "0007" not in bucket.keys
    with pytest.raises(KeyError, match="0007"):
        bucket.keys["0007"]


def test_an_upload_in_parts_becomes_an_object(backend: DurableBackend) -> None:
    headers = {"Content-Type": "image/png", "x-amz-meta-a": "b"}
    upload = backend.create_multipart_upload("photos", "m", headers, "STANDARD", {}, None, "", "")
    assert list(backend.list_multipart_uploads("photos")) == [upload.id]
    one = backend.upload_part("photos", upload.id, 1, bytes(PART))
    two = backend.upload_part("photos", upload.id, 2, b"tail")
    parts = backend.list_parts("photos", upload.id)
    assert [(part.name, part.size, part.etag) for part in parts] == [(1, PART, one.etag), (2, 4, two.etag)]
    assert bytes(parts[1].value) == b"tail"
    key = backend.complete_multipart_upload("photos", upload.id, [(1, one.etag), (2, two.etag)])
    assert bytes(key.value) == bytes(PART) + b"tail"
    assert key.metadata["content-type"] == "image/png"
    assert key.metadata["x-amz-meta-a"] == "b"
    assert list(backend.list_multipart_uploads("photos")) == []


def test_uploads_that_cannot_be_completed_are_refused_in_s3s_words(backend: DurableBackend) -> None:
    upload = backend.create_multipart_upload("photos", "m", {}, "STANDARD", {}, None, "", "")
    etags = [backend.upload_part("photos", upload.id, number, b"x").etag for number in (1, 2)]
    with pytest.raises(EntityTooSmall):
        backend.complete_multipart_upload("photos", upload.id, list(enumerate(etags, 1)))
    with pytest.raises(InvalidPart):
        backend.complete_multipart_upload("photos", upload.id, [(3, etags[0])])
    backend.abort_multipart_upload("photos", upload.id)
    with pytest.raises(NoSuchUpload):
        backend.abort_multipart_upload("photos", upload.id)
    with pytest.raises(NoSuchUpload):
        backend.complete_multipart_upload("photos", upload.id, [(1, etags[0])])


def test_parts_of_different_sizes_are_refused_as_r2_does(backend: DurableBackend) -> None:
    upload = backend.create_multipart_upload("photos", "m", {}, "STANDARD", {}, None, "", "")
    etags = [backend.upload_part("photos", upload.id, number, bytes(PART + number)).etag for number in (1, 2, 3)]
    with pytest.raises(UnevenPartSizes, match=r"All non-trailing parts must have the same length\."):
        backend.complete_multipart_upload("photos", upload.id, list(enumerate(etags, 1)))


def test_a_bucket_that_is_not_attached_is_missing(backend: DurableBackend) -> None:
    with pytest.raises(MissingBucket):
        backend.get_bucket("other")


def test_moto_tracks_no_object_of_ours(backend: DurableBackend) -> None:
    tracked = (DurableKey, DurableBucket, FakeKey, FakeMultipart, FakeBucket, FakeAcl)
    before = [len(cls.instances_tracked) for cls in tracked]
    for number in range(50):
        put(backend, "k")
        backend.get_object("photos", "k")
        backend.create_multipart_upload("photos", f"m{number}", {}, "STANDARD", {}, None, "", "")
    assert [len(cls.instances_tracked) for cls in tracked] == before
