"""What no client sends is refused in S3's words, too."""

from __future__ import annotations

import pytest

from pyworkers.server.s3.chunked import ChunkedDecoder
from pyworkers.server.s3.conditions import conditions_of, write_condition_of
from pyworkers.server.s3.credentials import Credentials
from pyworkers.server.s3.errors import S3Error
from pyworkers.server.s3.intake import Promise
from pyworkers.server.s3.request import S3Request
from pyworkers.server.s3.signature import Signature, verify

CREDENTIALS = Credentials("key", "secret")
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
UNSIGNED = Signature("UNSIGNED-PAYLOAD", "0", b"k", "20260101T000000Z", "s")


def request(query: tuple[tuple[str, str], ...] = (), **headers: str) -> S3Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return S3Request("GET", "/cdn-cgi/s3/bucket/key", query, named, "bucket", "key")


def signed_in_query(**changes: str) -> tuple[tuple[str, str], ...]:
    given = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "key/20260101/auto/s3/aws4_request",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0",
    }
    return tuple({**given, **{f"X-Amz-{name}": value for name, value in changes.items()}}.items())


def refusal(wanted: S3Request) -> str:
    with pytest.raises(S3Error) as caught:
        verify(wanted, CREDENTIALS, NOW_MS)
    return caught.value.code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Signature": "é"}, "SignatureDoesNotMatch"),
        ({"SignedHeaders": "host;ключ"}, "SignatureDoesNotMatch"),
        ({"Credential": "é/20260101/auto/s3/aws4_request"}, "InvalidAccessKeyId"),
        ({"Date": "99991231T235959Z", "Credential": "key/99991231/auto/s3/aws4_request"}, "RequestTimeTooSkewed"),
    ],
)
def test_a_signature_of_any_characters_is_refused(changes: dict[str, str], code: str) -> None:
    assert refusal(request(signed_in_query(**changes))) == code


def test_a_date_that_is_out_of_range_is_none() -> None:
    date = "Fri, 31 Dec 9999 23:59:59 -2359"
    authorization = "AWS4-HMAC-SHA256 Credential=key/20260101/auto/s3/aws4_request,SignedHeaders=host,Signature=0"
    wanted = request(authorization=authorization, date=date, x_amz_content_sha256="UNSIGNED-PAYLOAD")
    assert refusal(wanted) == "AuthorizationHeaderMalformed"


@pytest.mark.parametrize("date", ["", "²", "Mon, 99 Jan 2026 00:00:00 GMT"])
def test_a_condition_of_a_date_that_is_none_asks_nothing(date: str) -> None:
    assert write_condition_of({"if-modified-since": date}) is None
    assert conditions_of({"if-unmodified-since": date}) == conditions_of({})


@pytest.mark.parametrize("name", ["content-md5", "x-amz-checksum-crc32"])
def test_a_digest_that_is_not_ascii_is_refused(name: str) -> None:
    with pytest.raises(S3Error, match="invalid"):
        Promise({name: "é"}, UNSIGNED)


def test_a_length_in_other_digits_is_none() -> None:
    assert Promise({"content-length": "²"}, UNSIGNED).size is None


@pytest.mark.parametrize("size", [b"+1", b"-1", b"0x1", b"1_0", b" 1", b"", b"1" * 17])
def test_the_size_of_a_chunk_is_hexadecimal_digits(size: bytes) -> None:
    with pytest.raises(S3Error, match="The body is not encoded as aws-chunked has it"):
        ChunkedDecoder(lambda _piece: None, None).feed(size + b"\r\na\r\n")
