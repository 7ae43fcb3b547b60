"""The S3 API as boto3 uses it, and a worker's binding on the same bucket."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from typing import Any

import crcmod
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from s3_server import S3Server

from pyworkers.js.objects import JsArray
from pyworkers.js.values import JsObject

MIB = 1024 * 1024
PART = 5 * MIB


def pattern(size: int) -> bytes:
    block = hashlib.sha256(b"pattern").digest() * 1024
    return (block * (size // len(block) + 1))[:size]


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


CRC64_NVME = crcmod.mkCrcFun(0x1AD93D23594C93659, initCrc=0, rev=True, xorOut=(1 << 64) - 1)


def crc64(data: bytes) -> str:
    return base64.b64encode(CRC64_NVME(data).to_bytes(8, "big")).decode()


@pytest.mark.parametrize("key", ["a", "a/b c", "ü/日本", "a+b%2F?&=#", "/lead//double/", "x" * 1024])
def test_objects_of_any_key_come_back(s3: Any, key: str) -> None:
    s3.put_object(Bucket="photos", Key=key, Body=b"hello")
    assert s3.get_object(Bucket="photos", Key=key)["Body"].read() == b"hello"
    listed = s3.list_objects_v2(Bucket="photos")["Contents"]
    assert [(item["Key"], item["Size"]) for item in listed] == [(key, 5)]
    assert [item["Key"] for item in s3.list_objects(Bucket="photos")["Contents"]] == [key]
    s3.delete_object(Bucket="photos", Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, 3 * MIB + 7])
def test_bodies_of_any_size_come_back_with_their_tags(s3: Any, size: int) -> None:
    data = pattern(size)
    put = s3.put_object(Bucket="photos", Key="k", Body=data)
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    assert (put["ETag"], put["ChecksumCRC32"]) == (etag, crc32(data))
    got = s3.get_object(Bucket="photos", Key="k")
    assert (got["Body"].read(), got["ETag"], got["ContentLength"]) == (data, etag, size)
    head = s3.head_object(Bucket="photos", Key="k", ChecksumMode="ENABLED")
    assert (head["ETag"], head["ContentLength"], head["ChecksumCRC32"]) == (etag, size, crc32(data))


def test_what_a_worker_writes_is_seen_with_its_metadata(server: S3Server, s3: Any) -> None:
    options = JsObject(
        {
            "httpMetadata": JsObject(
                {"contentType": "text/plain", "cacheControl": "no-store", "contentLanguage": "de"}
            ),
            "customMetadata": JsObject({"Colour": "rot", "city": "Köln"}),
            "sha256": hashlib.sha256(b"hello").hexdigest(),
        }
    )

    async def write() -> None:
        await server.bucket.put("k", "hello", options)

    server.run(write())
    got = s3.get_object(Bucket="photos", Key="k")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["CacheControl"], got["ContentLanguage"]) == ("text/plain", "no-store", "de")
    assert got["Metadata"] == {"colour": "rot", "city": "=?UTF-8?B?S8O2bG4=?="}
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"hello").digest()).decode()


def test_what_s3_writes_a_worker_sees_with_its_metadata(server: S3Server, s3: Any) -> None:
    s3.put_object(
        Bucket="photos",
        Key="k",
        Body=b"hello",
        ContentType="text/plain",
        ContentEncoding="gzip",
        Metadata={"colour": "rot", "city": "=?UTF-8?Q?K=C3=B6ln?="},
        ChecksumAlgorithm="SHA256",
    )

    async def read() -> tuple[Any, ...]:
        found = await server.bucket.get("k")
        text = await found.text()
        http, sums = found.httpMetadata, found.checksums.toJSON()
        return text, found.etag, http.contentType, http.contentEncoding, found.customMetadata, sums.sha256, sums.md5

    text, etag, kind, encoding, custom, sha256, md5 = server.run(read())
    digest = hashlib.md5(b"hello").hexdigest()
    assert (text, etag, kind, encoding) == ("hello", digest, "text/plain", "gzip")
    assert vars(custom) == {"colour": "rot", "city": "Köln"}
    assert (sha256, md5) == (hashlib.sha256(b"hello").hexdigest(), digest)


def test_multipart_uploads_become_objects_with_the_checksum_of_their_parts(server: S3Server, s3: Any) -> None:
    data = pattern(3 * PART + 1234)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2)
    s3.upload_fileobj(io.BytesIO(data), "photos", "big", ExtraArgs={"Metadata": {"a": "b"}}, Config=config)
    parts = [data[start : start + PART] for start in range(0, len(data), PART)]
    md5 = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    head = s3.head_object(Bucket="photos", Key="big", ChecksumMode="ENABLED")
    assert (head["ETag"], head["ContentLength"], head["Metadata"]) == (f'"{md5}-4"', len(data), {"a": "b"})
    composite = zlib.crc32(b"".join(zlib.crc32(part).to_bytes(4, "big") for part in parts)).to_bytes(4, "big")
    assert head["ChecksumCRC32"] == f"{base64.b64encode(composite).decode()}-4"
    assert head["ChecksumType"] == "COMPOSITE"
    target = io.BytesIO()
    s3.download_fileobj("photos", "big", target, Config=config)
    assert target.getvalue() == data

    async def read() -> tuple[str, int]:
        found = await server.bucket.get("big")
        return found.etag, len((await found.bytes()).to_py())

    assert server.run(read()) == (f"{md5}-4", len(data))


def test_a_full_objects_checksum_is_combined_from_its_parts(s3: Any) -> None:
    data = pattern(PART + 10)
    upload = s3.create_multipart_upload(Bucket="photos", Key="k", ChecksumAlgorithm="CRC64NVME")
    assert (upload["ChecksumAlgorithm"], upload["ChecksumType"]) == ("CRC64NVME", "FULL_OBJECT")
    named = {"Bucket": "photos", "Key": "k", "UploadId": upload["UploadId"]}
    parts = []
    for number, part in ((1, data[:PART]), (2, data[PART:])):
        made = s3.upload_part(**named, PartNumber=number, Body=part, ChecksumCRC64NVME=crc64(part))
        parts.append({"PartNumber": number, "ETag": made["ETag"], "ChecksumCRC64NVME": made["ChecksumCRC64NVME"]})
    with pytest.raises(ClientError) as refused:
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, ChecksumCRC64NVME="AAAAAAAAAAA=")
    assert refusal(refused) == (
        400,
        "BadDigest",
        "The CRC64NVME you specified did not match the calculated checksum.",
    )
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert done["ChecksumCRC64NVME"] == crc64(data)


def test_uploads_and_parts_are_listed_in_pages(s3: Any) -> None:
    ids = [s3.create_multipart_upload(Bucket="photos", Key=key)["UploadId"] for key in ("a", "b", "c")]
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket="photos", PaginationConfig={"PageSize": 2})
    assert [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])] == list(
        zip("abc", ids, strict=True)
    )
    for number in (1, 2, 3):
        s3.upload_part(Bucket="photos", Key="a", UploadId=ids[0], PartNumber=number, Body=b"x" * number)
    parts = s3.get_paginator("list_parts").paginate(
        Bucket="photos", Key="a", UploadId=ids[0], PaginationConfig={"PageSize": 2}
    )
    assert [(one["PartNumber"], one["Size"]) for page in parts for one in page["Parts"]] == [(1, 1), (2, 2), (3, 3)]
    s3.abort_multipart_upload(Bucket="photos", Key="a", UploadId=ids[0])
    with pytest.raises(ClientError) as refused:
        s3.upload_part(Bucket="photos", Key="a", UploadId=ids[0], PartNumber=1, Body=b"x")
    assert refusal(refused) == (404, "NoSuchUpload", "The specified multipart upload does not exist.")


def test_listings_are_pages_of_keys_and_common_prefixes(s3: Any) -> None:
    keys = [f"{folder}/{number:02}" for folder in ("a", "b+c", "d%41") for number in range(7)] + ["top"]
    for key in keys:
        s3.put_object(Bucket="photos", Key=key, Body=b"")
    for name in ("list_objects_v2", "list_objects"):
        pages = s3.get_paginator(name).paginate(Bucket="photos", PaginationConfig={"PageSize": 4})
        assert [item["Key"] for page in pages for item in page.get("Contents", [])] == sorted(keys)
        pages = s3.get_paginator(name).paginate(Bucket="photos", Delimiter="/", PaginationConfig={"PageSize": 1})
        found = [item.get("Prefix", item.get("Key")) for page in pages for item in _entries(page)]
        assert found == ["a/", "b+c/", "d%41/", "top"]
    page = s3.list_objects_v2(Bucket="photos", Prefix="a/", StartAfter="a/04")
    assert ([item["Key"] for item in page["Contents"]], page["KeyCount"]) == (["a/05", "a/06"], 2)
    assert s3.list_objects_v2(Bucket="photos", MaxKeys=0)["KeyCount"] == 0
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket="photos", ContinuationToken="a/b")
    assert refusal(refused) == (400, "InvalidArgument", "The continuation token provided is incorrect")


def _entries(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [*page.get("CommonPrefixes", []), *page.get("Contents", [])]


def test_copies_keep_or_replace_what_is_said_of_an_object(s3: Any) -> None:
    s3.put_object(Bucket="photos", Key="ü a", Body=pattern(MIB), ContentType="image/png", Metadata={"a": "b"})
    source = {"Bucket": "photos", "Key": "ü a"}
    s3.copy_object(Bucket="photos", Key="kept", CopySource=source)
    s3.copy_object(
        Bucket="photos",
        Key="new",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"c": "d"},
        ContentType="a/b",
    )
    kept, new = (s3.get_object(Bucket="photos", Key=key) for key in ("kept", "new"))
    assert (kept["Body"].read(), kept["ContentType"], kept["Metadata"]) == (pattern(MIB), "image/png", {"a": "b"})
    assert (new["Body"].read(), new["ContentType"], new["Metadata"]) == (pattern(MIB), "a/b", {"c": "d"})
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket="photos", Key="ü a", CopySource=source)
    assert refusal(refused)[:2] == (400, "InvalidRequest")
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket="photos", Key="x", CopySource=source, CopySourceIfMatch='"other"')
    assert refusal(refused)[:2] == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket="photos", Key="x", CopySource={"Bucket": "photos", "Key": "none"})
    assert refusal(refused) == (404, "NoSuchKey", "The specified key does not exist.")


def test_parts_are_copied_from_ranges(s3: Any) -> None:
    data = pattern(PART + 100)
    s3.put_object(Bucket="photos", Key="source", Body=data)
    upload_id = s3.create_multipart_upload(Bucket="photos", Key="k")["UploadId"]
    parts = []
    for number, span in ((1, f"bytes=0-{PART - 1}"), (2, f"bytes={PART}-{PART + 99}")):
        made = s3.upload_part_copy(
            Bucket="photos",
            Key="k",
            UploadId=upload_id,
            PartNumber=number,
            CopySource="photos/source",
            CopySourceRange=span,
        )
        parts.append({"PartNumber": number, "ETag": made["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket="photos", Key="k", UploadId=upload_id, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="photos", Key="k")["Body"].read() == data


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-", 10, 300_000),
        ("bytes=-10", 299_990, 300_000),
        ("bytes=5-999999999", 5, 300_000),
    ],
)
def test_ranges_are_parts_of_the_body(s3: Any, asked: str, start: int, end: int) -> None:
    data = pattern(300_000)
    s3.put_object(Bucket="photos", Key="k", Body=data)
    got = s3.get_object(Bucket="photos", Key="k", Range=asked)
    assert got["Body"].read() == data[start:end]
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"]) == (206, f"bytes {start}-{end - 1}/300000")


def test_a_range_beyond_the_end_is_refused(s3: Any) -> None:
    s3.put_object(Bucket="photos", Key="k", Body=b"hello")
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="photos", Key="k", Range="bytes=5-")
    assert refusal(refused) == (416, "InvalidRange", "The requested range is not satisfiable")


def test_conditions_decide_what_is_read_and_written(s3: Any) -> None:
    etag = s3.put_object(Bucket="photos", Key="k", Body=b"hello", IfNoneMatch="*")["ETag"]
    moment = s3.head_object(Bucket="photos", Key="k")["LastModified"]
    for met in ({"IfMatch": etag}, {"IfMatch": etag.strip('"')}, {"IfMatch": f'"x", {etag}'}, {"IfNoneMatch": '"x"'}):
        assert s3.get_object(Bucket="photos", Key="k", **met)["Body"].read() == b"hello"
    assert s3.get_object(Bucket="photos", Key="k", IfUnmodifiedSince=moment)["Body"].read() == b"hello"
    for unmet, status in (
        ({"IfMatch": '"x"'}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfNoneMatch": "*"}, 304),
        ({"IfModifiedSince": moment}, 304),
    ):
        for read in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as refused:
                read(Bucket="photos", Key="k", **unmet)
            assert refusal(refused)[0] == status
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="photos", Key="k", Body=b"", IfNoneMatch="*")
    assert refusal(refused) == (
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="photos", Key="k", Body=b"", IfMatch='"x"')
    assert refusal(refused)[0] == 412
    s3.put_object(Bucket="photos", Key="k", Body=b"other", IfMatch=etag)
    assert s3.get_object(Bucket="photos", Key="k")["Body"].read() == b"other"


def test_many_objects_are_deleted_at_once(s3: Any) -> None:
    keys = [f"k{number}<&>" for number in range(20)]
    for key in keys:
        s3.put_object(Bucket="photos", Key=key, Body=b"x")
    named = [{"Key": key} for key in [*keys[:10], "absent"]]
    deleted = s3.delete_objects(Bucket="photos", Delete={"Objects": named})["Deleted"]
    assert [item["Key"] for item in deleted] == [*keys[:10], "absent"]
    quiet = s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": keys[10]}], "Quiet": True})
    assert "Deleted" not in quiet
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="photos")["Contents"]] == sorted(keys[11:])


def test_buckets_are_made_listed_and_removed(server: S3Server, s3: Any) -> None:
    s3.create_bucket(Bucket="more")
    s3.put_object(Bucket="more", Key="k", Body=b"x")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["more", "photos"]
    assert s3.head_bucket(Bucket="more")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket="more")
    assert refusal(refused)[:2] == (409, "BucketNotEmpty")
    s3.delete_object(Bucket="more", Key="k")
    s3.delete_bucket(Bucket="more")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["photos"]
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="more", Key="k", Body=b"x")
    assert refusal(refused) == (404, "NoSuchBucket", "The specified bucket does not exist")
    with pytest.raises(ClientError) as refused:
        s3.delete_bucket(Bucket="photos")
    assert refusal(refused) == (403, "AccessDenied", "A worker of this project is bound to the bucket.")
    with pytest.raises(ClientError) as refused:
        s3.create_bucket(Bucket="Not_a-name")
    assert refusal(refused) == (400, "InvalidBucketName", "The specified bucket name is not valid.")


def test_what_r2_does_not_implement_is_refused_by_name(s3: Any) -> None:
    for call, what in (
        (lambda: s3.get_bucket_acl(Bucket="photos"), "GetBucketAcl"),
        (lambda: s3.get_object_tagging(Bucket="photos", Key="k"), "GetObjectTagging"),
        (
            lambda: s3.put_object(Bucket="photos", Key="k", Tagging="a=b"),
            "Header 'x-amz-tagging' with value 'a=b'",
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refusal(refused) == (501, "NotImplemented", f"{what} not implemented")


def test_metadata_and_keys_that_are_too_long_are_refused(s3: Any) -> None:
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="photos", Key="k", Body=b"", Metadata={"a": "x" * 2048})
    assert refusal(refused) == (
        400,
        "MetadataTooLarge",
        "Your metadata headers exceed the maximum allowed metadata size.",
    )
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="photos", Key="x" * 1025, Body=b"")
    assert refusal(refused) == (400, "KeyTooLongError", "Your key is too long")


def test_wrong_checksums_store_nothing(s3: Any) -> None:
    for wrong, code, message in (
        (
            {"ContentMD5": base64.b64encode(bytes(16)).decode()},
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ),
        ({"ContentMD5": "no"}, "InvalidDigest", "The Content-MD5 you specified was invalid."),
        (
            {"ChecksumSHA1": base64.b64encode(bytes(20)).decode()},
            "BadDigest",
            "The SHA1 you specified did not match the calculated checksum.",
        ),
        ({"ChecksumCRC32": "AAA="}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."),
    ):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket="photos", Key="k", Body=b"hello", **wrong)
        assert refusal(refused) == (400, code, message)
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")


def test_a_worker_lists_what_s3_wrote(server: S3Server, s3: Any) -> None:
    s3.put_object(Bucket="photos", Key="a", Body=b"x")

    async def keys() -> list[str]:
        found = await server.bucket.list()
        assert isinstance(found.objects, JsArray)
        return [item.key for item in found.objects.items_]

    assert server.run(keys()) == ["a"]
