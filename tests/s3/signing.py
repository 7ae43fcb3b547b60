"""Requests signed by hand, as clients that are not boto3 send them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from s3_server import S3Server

EMPTY = hashlib.sha256().hexdigest()


@dataclass
class Signed:
    """A request of one moment; ``chunks`` signs its body piece by piece."""

    server: S3Server
    method: str
    path: str
    payload: str
    headers: dict[str, str] = field(default_factory=dict)
    region: str = "auto"
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    access_key_id: str | None = None
    secret: str | None = None
    host: str | None = None
    unsigned: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.timestamp = self.moment.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.timestamp[:8]}/{self.region}/s3/aws4_request"
        key = f"AWS4{self.secret or self.server.credentials.secret_access_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        self.key = key
        self.target = quote(f"/cdn-cgi/s3{self.path}", safe="/-_.~")
        self.headers = {
            "host": self.host or f"localhost:{self.server.port}",
            "x-amz-date": self.timestamp,
            "x-amz-content-sha256": self.payload,
            **{name.lower(): value for name, value in self.headers.items()},
        }
        names = sorted(self.headers)
        lines = "".join(f"{name}:{' '.join(self.headers[name].split())}\n" for name in names)
        canonical = "\n".join((self.method, self.target, "", lines, ";".join(names), self.payload))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        self.seed = self.previous = self.sign("AWS4-HMAC-SHA256", digest)
        identity = self.access_key_id or self.server.credentials.access_key_id
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={identity}/{self.scope},SignedHeaders={';'.join(names)},Signature={self.seed}"
        )

    def sign(self, kind: str, *lines: str) -> str:
        text = "\n".join((kind, self.timestamp, self.scope, *lines))
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()

    def chunk(self, data: bytes) -> bytes:
        self.previous = self.sign("AWS4-HMAC-SHA256-PAYLOAD", self.previous, EMPTY, hashlib.sha256(data).hexdigest())
        head = f"{len(data):x};chunk-signature={self.previous}\r\n".encode()
        return head + data + b"\r\n" if data else head

    def trailer(self, text: str) -> bytes:
        value = self.sign("AWS4-HMAC-SHA256-TRAILER", self.previous, hashlib.sha256(f"{text}\n".encode()).hexdigest())
        return f"{text}\r\nx-amz-trailer-signature:{value}\r\n".encode()

    def send(self, body: bytes | Iterable[bytes] = b"") -> httpx.Response:
        url = f"http://127.0.0.1:{self.server.port}{self.target}"
        with httpx.Client(trust_env=False, timeout=120) as client:
            return client.request(self.method, url, headers={**self.headers, **self.unsigned}, content=body)
