"""A request to the S3 API, as it came over the wire and as it is signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from pyworkers.js.urlencoded import split_pairs
from pyworkers.server.ingress import Scope
from pyworkers.server.s3 import S3_ROOT
from pyworkers.server.s3.errors import S3Error, not_implemented

# Parameters of a query that say how it is signed.
_SIGNING: Final = frozenset(
    (
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "x-amz-content-sha256",
    )
)
_MAX_KEY_BYTES: Final = 1024

# Method -> what the query names, or "" for nothing of the kind -> operation. What R2 does not implement is not here.
_BUCKET_OPERATIONS: Final = {
    "GET": {
        "location": "GetBucketLocation",
        "uploads": "ListMultipartUploads",
        "list-type": "ListObjectsV2",
        "cors": "GetBucketCors",
        "lifecycle": "GetBucketLifecycleConfiguration",
        "encryption": "GetBucketEncryption",
        "": "ListObjects",
    },
    "HEAD": {"": "HeadBucket"},
    "PUT": {"": "CreateBucket"},
    "DELETE": {"": "DeleteBucket"},
    "POST": {"delete": "DeleteObjects"},
}
_KEY_OPERATIONS: Final = {
    "GET": {"uploadId": "ListParts", "": "GetObject"},
    "HEAD": {"": "HeadObject"},
    "PUT": {"partNumber": "UploadPart", "": "PutObject"},
    "DELETE": {"uploadId": "AbortMultipartUpload", "": "DeleteObject"},
    "POST": {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
}
# What a query may name that is another operation: with it nothing of the above is meant.
_SUBRESOURCES: Final = frozenset(
    (
        *("accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering"),
        *("inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock"),
        *("ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment"),
        *("restore", "retention", "select", "tagging", "torrent", "uploads", "versioning", "versions", "website"),
    )
)


@dataclass(frozen=True, slots=True)
class S3Request:
    """A request.

    Attributes:
        path: as it came, percent-encoded; it begins with `S3_ROOT`.
        query: names and values, decoded, in the order in which they came.
        headers: lower-case names; several values of one are joined by commas.
        bucket: "" for the service.
        key: "" for the bucket.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    bucket: str
    key: str

    def parameter(self, name: str) -> str | None:
        """Return a parameter of the query."""
        return next((value for found, value in self.query if found == name), None)

    def parameters(self) -> dict[str, str]:
        """Return the query without what signs it."""
        return {name: value for name, value in self.query if name.lower() not in _SIGNING}

    @property
    def operation(self) -> str:
        """S3's name of what is asked.

        Raises:
            S3Error: R2 does not implement it.
        """
        names = {name for name, _ in self.query}
        if not self.bucket:
            if self.method == "GET":
                return "ListBuckets"
            raise S3Error("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
        known = (_KEY_OPERATIONS if self.key else _BUCKET_OPERATIONS).get(self.method, {})
        for name, operation in known.items():
            if name in names:
                return self._copy_of(operation)
        other = names & _SUBRESOURCES
        if other or "" not in known:
            raise not_implemented(self._name_of(min(other, default="")))
        return self._copy_of(known[""])

    def _name_of(self, subresource: str) -> str:
        """Return about what S3 calls an operation that is not implemented: ``GetBucketAcl``."""
        words = "".join(word[0].upper() + word[1:] for word in subresource.split("-") if word)
        return f"{self.method.title()}{'Object' if self.key else 'Bucket'}{words}"

    def _copy_of(self, operation: str) -> str:
        if "x-amz-copy-source" not in self.headers:
            return operation
        return {"UploadPart": "UploadPartCopy", "PutObject": "CopyObject"}.get(operation, operation)


def read_request(scope: Scope, virtual_buckets: frozenset[str]) -> S3Request:
    """Return the request of an ASGI scope.

    Args:
        virtual_buckets: buckets that a ``Host`` such as ``bucket.localhost`` may name.

    Raises:
        S3Error: the key is too long, or no UTF-8.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    query = tuple(split_pairs(scope["query_string"].decode("latin-1"), unquote))
    rest = path.removeprefix(S3_ROOT).removeprefix("/")
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    virtual = host.removesuffix(".localhost")
    if virtual != host and virtual in virtual_buckets:
        bucket, raw_key = virtual, rest
    else:
        bucket, _, raw_key = rest.partition("/")
    try:
        key = unquote(raw_key, errors="strict")
        size = len(key.encode())
    except UnicodeError:
        raise S3Error("InvalidURI", "Couldn't parse the specified URI.") from None
    if size > _MAX_KEY_BYTES:
        raise S3Error("KeyTooLongError", "Your key is too long", MaxSizeAllowed=str(_MAX_KEY_BYTES), Size=str(size))
    return S3Request(scope["method"], path, query, headers, unquote(bucket), key)


def encode(text: str) -> str:
    """Percent-encode as a signature has it."""
    return quote(text, safe="-_.~")
