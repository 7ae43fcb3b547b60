"""Who may use the S3 API: signatures in headers, in queries and in chunks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import crcmod.predefined
import httpx
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from s3_server import S3Server
from signing import Signed

from pyworkers.errors import EngineError
from pyworkers.server.s3.credentials import FILE, project_credentials

DATA = bytes(range(256)) * 1000
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SHA256 = hashlib.sha256(DATA).hexdigest()
MISMATCH = (
    403,
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    code, message = (re.search(f"<{name}>(.*?)</{name}>", answer.text) for name in ("Code", "Message"))
    assert answer.headers["content-type"] == "application/xml"
    assert code is not None
    assert message is not None
    return answer.status_code, code[1], message[1]


def stored(s3: Any) -> bytes:
    body: bytes = s3.get_object(Bucket="photos", Key="k")["Body"].read()
    return body


def crc32c(data: bytes) -> str:
    return base64.b64encode(crcmod.predefined.mkPredefinedCrcFun("crc-32c")(data).to_bytes(4, "big")).decode()


# ---- in headers


def test_a_signed_body_is_stored_by_its_digest_or_unsigned(server: S3Server, s3: Any) -> None:
    for payload in (SHA256, "UNSIGNED-PAYLOAD"):
        s3.delete_object(Bucket="photos", Key="k")
        assert Signed(server, "PUT", "/photos/k", payload).send(DATA).status_code == 200
        assert stored(s3) == DATA


@pytest.mark.parametrize("region", ["auto", "us-east-1", "", "weur"])
def test_r2s_regions_are_accepted(server: S3Server, region: str) -> None:
    assert Signed(server, "PUT", "/photos/k", SHA256, region=region).send(DATA).status_code == 200


def test_other_regions_are_refused(server: S3Server) -> None:
    assert refusal(Signed(server, "PUT", "/photos/k", SHA256, region="eu-west-1").send(DATA)) == (
        400,
        "InvalidRegionName",
        "The region name 'eu-west-1' is not valid. Must be one of: wnam, enam, weur, eeur, apac, oc, auto",
    )


def test_wrong_secrets_keys_and_times_are_refused(server: S3Server, s3: Any) -> None:
    wrong = Signed(server, "PUT", "/photos/k", SHA256, secret="0" * 64)
    assert refusal(wrong.send(DATA)) == MISMATCH
    unknown = Signed(server, "PUT", "/photos/k", SHA256, access_key_id="AKIA0")
    assert refusal(unknown.send(DATA)) == (
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    )
    for minutes in (-16, 16):
        late = Signed(server, "PUT", "/photos/k", SHA256, moment=datetime.now(UTC) + timedelta(minutes=minutes))
        assert refusal(late.send(DATA)) == (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")


def test_a_changed_request_is_refused(server: S3Server) -> None:
    request = Signed(server, "PUT", "/photos/k", SHA256)
    request.target = "/cdn-cgi/s3/photos/other"
    assert refusal(request.send(DATA)) == MISMATCH
    assert refusal(Signed(server, "PUT", "/photos/k", SHA256).send(b"other")) == (
        400,
        "XAmzContentSHA256Mismatch",
        "The provided &apos;x-amz-content-sha256&apos; header does not match what was computed.".replace("&apos;", "'"),
    )
    extra = Signed(server, "PUT", "/photos/k", SHA256, unsigned={"x-amz-meta-a": "b"})
    assert refusal(extra.send(DATA)) == (
        403,
        "AccessDenied",
        "There were headers present in the request which were not signed",
    )


def test_requests_without_a_signature_of_version_4_are_refused(server: S3Server) -> None:
    url = f"{server.url}/photos/k".replace("localhost", "127.0.0.1")
    assert refusal(httpx.get(url, timeout=120)) == (403, "AccessDenied", "Access Denied")
    unsupported = (
        400,
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
    assert refusal(httpx.get(url, timeout=120, headers={"authorization": "AWS key:signature"})) == unsupported
    assert refusal(httpx.get(f"{url}?AWSAccessKeyId=a&Signature=b&Expires=1", timeout=120)) == unsupported
    assert refusal(httpx.get(url, timeout=120, headers={"authorization": "AWS4-HMAC-SHA256 Credential=a"})) == (
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; SignedHeaders is missing.",
    )


def test_another_hosts_name_is_refused_though_signed(server: S3Server) -> None:
    answer = Signed(server, "GET", "/photos/k", "UNSIGNED-PAYLOAD", host="evil.example").send()
    assert answer.status_code == 403


def test_a_bucket_may_stand_in_the_hosts_name(server: S3Server, s3: Any) -> None:
    host = f"photos.localhost:{server.port}"
    assert Signed(server, "PUT", "/k", SHA256, host=host).send(DATA).status_code == 200
    assert stored(s3) == DATA


# ---- in chunks


def test_signed_chunks_are_joined(server: S3Server, s3: Any) -> None:
    headers = {"x-amz-decoded-content-length": str(len(DATA)), "content-encoding": "aws-chunked,gzip"}
    request = Signed(server, "PUT", "/photos/k", SIGNED, headers)
    body = b"".join(request.chunk(part) for part in (DATA[:100_000], DATA[100_000:], b"")) + b"\r\n"
    assert request.send(body).status_code == 200
    assert stored(s3) == DATA
    assert s3.head_object(Bucket="photos", Key="k")["ContentEncoding"] == "gzip"


def test_a_changed_chunk_is_refused(server: S3Server, s3: Any) -> None:
    request = Signed(server, "PUT", "/photos/k", SIGNED, {"x-amz-decoded-content-length": "6"})
    body = request.chunk(b"abc") + request.chunk(b"def") + request.chunk(b"") + b"\r\n"
    assert refusal(request.send(body.replace(b"def", b"deF"))) == MISMATCH
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")


def test_signed_chunks_with_a_signed_trailer(server: S3Server, s3: Any) -> None:
    headers = {"x-amz-decoded-content-length": str(len(DATA)), "x-amz-trailer": "x-amz-checksum-crc32c"}
    for checksum, answer in ((crc32c(DATA), None), ("AAAAAA==", (400, "BadDigest"))):
        request = Signed(server, "PUT", "/photos/k", f"{SIGNED}-TRAILER", headers)
        body = request.chunk(DATA) + request.chunk(b"") + request.trailer(f"x-amz-checksum-crc32c:{checksum}") + b"\r\n"
        sent = request.send(body)
        if answer is None:
            assert sent.status_code == 200
            assert sent.headers["x-amz-checksum-crc32c"] == checksum
            assert stored(s3) == DATA
        else:
            assert refusal(sent)[:2] == answer


def test_a_changed_trailer_is_refused(server: S3Server) -> None:
    headers = {"x-amz-decoded-content-length": "3", "x-amz-trailer": "x-amz-checksum-crc32c"}
    request = Signed(server, "PUT", "/photos/k", f"{SIGNED}-TRAILER", headers)
    trailer = request.chunk(b"abc") + request.chunk(b"") + request.trailer("x-amz-checksum-crc32c:AAAAAA==") + b"\r\n"
    assert refusal(request.send(trailer.replace(b"AAAAAA==", b"NksStA=="))) == MISMATCH


def test_unsigned_chunks_with_a_trailer_in_small_pieces(server: S3Server, s3: Any) -> None:
    headers = {
        "x-amz-decoded-content-length": str(len(DATA)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    checksum = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (DATA[:7], DATA[7:70_000], DATA[70_000:]))
    body += f"0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
    request = Signed(server, "PUT", "/photos/k", UNSIGNED_TRAILER, headers)
    request.headers["content-length"] = str(len(body))
    assert request.send(body[start : start + 9973] for start in range(0, len(body), 9973)).status_code == 200
    assert stored(s3) == DATA
    head = s3.head_object(Bucket="photos", Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == checksum
    assert "ContentEncoding" not in head


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"3\r\nabc\r\n", (400, "IncompleteBody", "The request body terminated unexpectedly")),
        (b"zz\r\n", (400, "InvalidRequest", "The body is not encoded as aws-chunked has it")),
        (b"3\r\nabcd\r\n0\r\n\r\n", (400, "InvalidRequest", "The body is not encoded as aws-chunked has it")),
        (
            b"2\r\nab\r\n0\r\n\r\n",
            (
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
        ),
        (
            b"3\r\nabc\r\n0\r\n\r\n",
            (400, "MalformedTrailerError", "The request contained trailing data that was not well-formed."),
        ),
    ],
)
def test_malformed_chunks_store_nothing(server: S3Server, s3: Any, body: bytes, refused: tuple[int, str, str]) -> None:
    headers = {"x-amz-decoded-content-length": "3", "x-amz-trailer": "x-amz-checksum-crc32"}
    assert refusal(Signed(server, "PUT", "/photos/k", UNSIGNED_TRAILER, headers).send(body)) == refused
    assert "Contents" not in s3.list_objects_v2(Bucket="photos")
    blobs = server.runtime.stores.path_of("r2", "photos")
    assert blobs is not None
    assert [file for file in blobs.glob("blobs/*/*") if file.is_file()] == []


# ---- in queries


@pytest.fixture
def presigner(server: S3Server) -> Any:
    client = server.client(config=Config(signature_version="s3v4"))
    yield client
    client.close()


def local(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL that needs no name to be looked up, and the headers that keep it signed."""
    host = url.split("/")[2]
    return url.replace("//localhost", "//127.0.0.1"), {"host": host}


def test_presigned_urls_read_and_write(presigner: Any, s3: Any) -> None:
    params = {"Bucket": "photos", "Key": "ü k", "ContentType": "text/plain", "Metadata": {"a": "b"}}
    url, headers = local(presigner.generate_presigned_url("put_object", Params=params, ExpiresIn=60))
    assert refusal(httpx.put(url, content=DATA, headers={**headers, "content-type": "text/plain"})) == MISMATCH
    answer = httpx.put(url, content=DATA, headers={**headers, "content-type": "text/plain", "x-amz-meta-a": "b"})
    assert answer.status_code == 200
    head = s3.head_object(Bucket="photos", Key="ü k")
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"a": "b"})
    params = {"Bucket": "photos", "Key": "ü k", "ResponseContentDisposition": 'attachment; filename="x"'}
    url, headers = local(presigner.generate_presigned_url("get_object", Params=params, ExpiresIn=60))
    got = httpx.get(url, timeout=120, headers=headers)
    assert (got.status_code, got.content) == (200, DATA)
    assert got.headers["content-disposition"] == 'attachment; filename="x"'
    part = httpx.get(url, timeout=120, headers={**headers, "range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, DATA[:10])


def test_presigned_urls_are_of_one_method_and_key(presigner: Any) -> None:
    url, headers = local(presigner.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "k"}))
    assert refusal(httpx.put(url, content=b"x", headers=headers)) == MISMATCH
    assert refusal(httpx.get(url.replace("/photos/k", "/photos/l"), timeout=120, headers=headers)) == MISMATCH


@pytest.mark.parametrize(
    ("expires_s", "age_s", "refused"),
    [
        (60, 61, (403, "AccessDenied", "Request has expired")),
        (
            604_801,
            0,
            (
                400,
                "AuthorizationQueryParametersError",
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less"
                " than 604800 seconds",
            ),
        ),
    ],
)
def test_presigned_urls_expire(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, expires_s: int, age_s: int, refused: tuple[int, str, str]
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=age_s)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    keys = BotoCredentials(server.credentials.access_key_id, server.credentials.secret_access_key)
    request = AWSRequest("GET", f"{server.url}/photos/k")
    S3SigV4QueryAuth(keys, "s3", "auto", expires=expires_s).add_auth(request)
    url, headers = local(request.url)
    assert refusal(httpx.get(url, timeout=120, headers=headers)) == refused


def test_metadata_may_be_signed_in_the_query(server: S3Server, s3: Any) -> None:
    keys = BotoCredentials(server.credentials.access_key_id, server.credentials.secret_access_key)
    request = AWSRequest("PUT", f"{server.url}/photos/k?x-amz-meta-city={quote('Köln')}")
    S3SigV4QueryAuth(keys, "s3", "auto", expires=60).add_auth(request)
    url, headers = local(request.url)
    assert httpx.put(url, content=DATA, headers=headers).status_code == 200
    assert s3.head_object(Bucket="photos", Key="k")["Metadata"] == {"city": "=?UTF-8?B?S8O2bG4=?="}


# ---- key and secret


def test_a_project_keeps_its_credentials_to_its_owner(tmp_path: Path) -> None:
    made = project_credentials(tmp_path / "state")
    file = tmp_path / "state" / FILE
    assert project_credentials(tmp_path / "state") == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {
        "access_key_id": made.access_key_id,
        "secret_access_key": made.secret_access_key,
    }
    assert [path.name for path in file.parent.iterdir()] == [FILE]
    assert (len(made.access_key_id), len(made.secret_access_key)) == (32, 64)
    assert project_credentials(None) != project_credentials(None)


def test_a_file_of_other_content_is_told_of(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(EngineError) as raised:
        project_credentials(tmp_path)
    assert raised.value.message == f"{tmp_path / FILE} does not hold an access_key_id and a secret_access_key"
    assert raised.value.hint == "remove it to have new ones made"
