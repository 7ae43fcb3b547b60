"""``/cdn-cgi/s3``: the S3 API over a project's buckets, for boto3, the AWS command line, rclone and presigned URLs.

A request's signature is verified, its body written to the bucket's folder piece by piece, and the rest left to moto's
protocol code; an object's body is read piece by piece as it is sent. What a worker's binding writes is seen here, and
the reverse.

Differs: docs/s3.md
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pyworkers.engines.r2.headers import attributes_of_headers
from pyworkers.engines.r2.protocol import R2Attributes
from pyworkers.engines.r2.transfer import PIECE_BYTES, in_thread
from pyworkers.engines.r2.uploads import UploadChecksum, Uploads
from pyworkers.errors import EngineError
from pyworkers.server.ingress import Receive, Scope, Send
from pyworkers.server.s3.buckets import ProjectBuckets
from pyworkers.server.s3.conditions import conditions_of, write_condition_of
from pyworkers.server.s3.credentials import Credentials
from pyworkers.server.s3.errors import XML, S3Error, internal_error, not_implemented
from pyworkers.server.s3.intake import CHECKSUM_BYTES, MemoryWriter, Promise, Writer
from pyworkers.server.s3.request import S3Request, read_request
from pyworkers.server.s3.signature import Signature, verify

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.server.s3.protocol import Answer, S3Call

MAX_OBJECT_BYTES: Final = 5 * 1024**3 - 5 * 1024**2
MAX_METADATA_BYTES: Final = 2_048
MAX_PART_NUMBER: Final = 10_000
_MAX_XML_BYTES: Final = 16 * 1024 * 1024
_DRAINED_BYTES: Final = 16 * 1024 * 1024
_CLIENT_LEFT: Final = 499
_TRIES: Final = 5
_STORED: Final = ("PutObject", "UploadPart")
_CREATE_IF_MISSING: Final = "cf-create-bucket-if-missing"
_BUCKET_NAME: Final = re.compile("[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_log: Final = logging.getLogger("pyworkers.s3")


class ClientGone(Exception):
    """The client left before its body was complete."""


class Inbox:
    """A request's body, as it arrives.

    Args:
        receive: the ASGI callable.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._waits = any(name == b"expect" for name, _ in scope["headers"])
        self._is_over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body, gathered to pieces worth a trip to a thread.

        Raises:
            ClientGone: it did not come whole.
        """
        gathered: list[bytes] = []
        size = 0
        is_over = self._is_over
        while not is_over:
            chunk, is_over = await self._next()
            gathered.append(chunk)
            size += len(chunk)
            if size >= PIECE_BYTES or (is_over and size):
                yield b"".join(gathered)
                gathered.clear()
                size = 0

    async def drain(self) -> bool:
        """Read what a refused request still sends; False where that is too much, or was never to come.

        A client that sends its body without asking reads the answer only after it. One that waits for "100 Continue"
        sends none now, and the connection cannot go on.
        """
        left = 0 if self._waits else _DRAINED_BYTES
        try:
            while left > 0:
                if self._is_over:
                    return True
                left -= len((await self._next())[0])
        except ClientGone:
            pass
        return False

    async def _next(self) -> tuple[bytes, bool]:
        message = await self._receive()
        self._waits = False
        if message["type"] != "http.request":
            raise ClientGone
        self._is_over = not message.get("more_body", False)
        return message.get("body", b""), self._is_over


class S3Gateway:
    """Answers requests to the S3 API.

    Args:
        runtime: whose buckets they are.
        credentials: the only ones that are accepted.
    """

    def __init__(self, runtime: Runtime, credentials: Credentials) -> None:
        self._runtime = runtime
        self._credentials = credentials
        self._buckets = ProjectBuckets(runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer a request and return the status; 499 for a client that left."""
        request_id = uuid4().hex
        inbox = Inbox(scope, receive)
        is_head = scope["method"] == "HEAD"
        try:
            found = await self._answer(scope, inbox)
        except S3Error as error:
            is_whole = await inbox.drain()
            return await _send_error(send, error, scope["path"], request_id, is_head=is_head, closes=not is_whole)
        except ClientGone:
            return _CLIENT_LEFT
        except Exception as error:
            # A full disk, or a defect: whoever asked gets S3's answer, whoever watches the server the reason.
            shown = None if isinstance(error, EngineError | OSError) else error
            _log.error("%s %s failed: %s", scope["method"], scope["path"], error, exc_info=shown)
            is_whole = await inbox.drain()
            refusal = internal_error()
            return await _send_error(send, refusal, scope["path"], request_id, is_head=is_head, closes=not is_whole)
        await _send_answer(send, found, request_id, is_head=is_head)
        return found.status

    async def _answer(self, scope: Scope, inbox: Inbox) -> Answer:
        request = read_request(scope, self._buckets.names)
        signature = verify(request, self._credentials, self._runtime.clock.now_ms())
        operation = request.operation
        _check_features(request)
        await self._open_buckets(request, operation)
        if operation in _STORED:
            return await self._store(request, signature, operation, inbox)
        promise = Promise(request.headers, signature)
        writer = MemoryWriter(*promise.algorithms)
        await _take_in(inbox, promise, writer, limit=_MAX_XML_BYTES)
        call = self._call(request, operation)
        if operation == "CreateBucket":
            writer.data.clear()  # where a bucket lies is nothing here
        call.body = bytes(writer.data)
        found = await self._respond(call)
        if operation == "DeleteBucket" and found.status < 300:
            await self._buckets.remove(request.bucket)
        return found

    async def _open_buckets(self, request: S3Request, operation: str) -> None:
        """Open what a request is about; a bucket that is not there is moto's to refuse."""
        await self._buckets.backend()
        names = self._buckets.names
        if operation == "ListBuckets":
            for name in sorted(names):
                await self._buckets.open(name)
            return
        if operation == "DeleteBucket" and request.bucket in self._buckets.bound:
            raise S3Error("AccessDenied", "A worker of this project is bound to the bucket.", 403)
        is_made = operation == "CreateBucket" or request.headers.get(_CREATE_IF_MISSING) == "true"
        if request.bucket in names or (is_made and _is_bucket_name(request.bucket)):
            await self._buckets.open(request.bucket)
        elif is_made:
            raise S3Error("InvalidBucketName", "The specified bucket name is not valid.")
        source = request.headers.get("x-amz-copy-source", "").removeprefix("/").partition("/")[0]
        if source in names:
            await self._buckets.open(source)

    async def _store(self, request: S3Request, signature: Signature, operation: str, inbox: Inbox) -> Answer:
        """Take a body in, then the operation that stores it."""
        from pyworkers.engines.r2.moto_objects import IncomingBody

        if request.bucket not in self._buckets.names:
            raise S3Error("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=request.bucket)
        promise = Promise(request.headers, signature)
        if promise.size is None:
            raise S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
        if promise.size > MAX_OBJECT_BYTES:
            raise S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
        store = await self._buckets.open(request.bucket)
        call = self._call(request, operation)
        algorithms = promise.algorithms
        if operation == "UploadPart":
            algorithms += await _part_algorithms(request, Uploads(store))
        writer = store.blobs.writer(*algorithms)
        try:
            call.checksums = await _take_in(inbox, promise, writer, limit=MAX_OBJECT_BYTES)
            stored = await in_thread(writer.finish)
        except BaseException:
            await in_thread(writer.abort)
            raise
        incoming = IncomingBody(stored, call.attributes, write_condition_of(request.headers))
        try:
            call.incoming = incoming
            return await self._respond(call)
        finally:
            if not incoming.is_taken:
                await in_thread(lambda: store.discard(stored))

    def _call(self, request: S3Request, operation: str) -> S3Call:
        from pyworkers.server.s3.protocol import S3Call

        query = request.parameters()
        if query.get("versionId") == "null":
            del query["versionId"]
        hoisted = {name.lower(): value for name, value in query.items() if name.lower().startswith("x-amz-meta-")}
        must, changed = conditions_of(request.headers)
        call = S3Call(
            operation,
            request.method,
            request.bucket,
            request.key,
            {name: value for name, value in query.items() if name.lower() not in hoisted},
            request.headers,
            attributes=attributes_of_headers({**request.headers, **hoisted}),
            must=must,
            changed=changed,
            source=conditions_of(request.headers, "x-amz-copy-source-"),
        )
        if operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
            _check_metadata(call.attributes)
        if operation == "CreateMultipartUpload":
            call.checksum = _upload_checksum(request)
        return call

    async def _respond(self, call: S3Call) -> Answer:
        from pyworkers.engines.r2.moto_objects import ReplacedMeanwhile
        from pyworkers.server.s3.protocol import MalformedRequest, answer

        backend = await self._buckets.backend()
        for _ in range(_TRIES):
            try:
                return await in_thread(lambda: answer(backend, call))
            except ReplacedMeanwhile:
                continue
            except MalformedRequest:
                raise S3Error(
                    "MalformedXML",
                    "The XML you provided was not well-formed or did not validate against our published schema",
                ) from None
        raise S3Error("OperationAborted", "A conflicting conditional operation is currently in progress.", 409)


async def _part_algorithms(request: S3Request, uploads: Uploads) -> tuple[str, ...]:
    upload_id, number = request.parameter("uploadId") or "", request.parameter("partNumber") or ""
    if not number.isdigit() or not 1 <= int(number) <= MAX_PART_NUMBER:
        raise S3Error("InvalidArgument", f"Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive")
    upload = await in_thread(lambda: uploads.find(upload_id))
    if upload is None or upload.key != request.key:
        raise S3Error("NoSuchUpload", "The specified multipart upload does not exist.", 404, UploadId=upload_id)
    return () if upload.checksum is None else (upload.checksum.algorithm,)


async def _take_in(inbox: Inbox, promise: Promise, writer: Writer, *, limit: int) -> dict[str, str]:
    """Write a whole body and return the headers that tell its checksums.

    Raises:
        S3Error: it is not what was promised, or too large.
        ClientGone: it did not come whole.
    """
    decoder = promise.decoder(writer.write)
    feed = writer.write if decoder is None else decoder.feed
    async for piece in inbox.pieces():
        await in_thread(partial(feed, piece))
        if writer.size > limit:
            raise S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
    if decoder is not None:
        decoder.finish()
    return promise.check(writer, {} if decoder is None else decoder.trailers)


async def _send_answer(send: Send, found: Answer, request_id: str, *, is_head: bool) -> None:
    headers = dict(found.headers)
    # moto's own, which its XML names.
    headers["x-amz-request-id"] = headers.pop("x-amzn-requestid", request_id)
    body: Any = found.body
    if not is_head:
        if found.status in (204, 304):
            for name in ("content-length", "content-type"):
                headers.pop(name, None)
        else:
            headers["content-length"] = str(len(body))
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    try:
        await send({"type": "http.response.start", "status": found.status, "headers": raw})
        if isinstance(body, bytes):
            await send({"type": "http.response.body", "body": b"" if is_head else body})
            return
        offset = 0
        while data := await in_thread(partial(body.read, offset)):
            offset += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if not isinstance(body, bytes):
            body.close()


async def _send_error(send: Send, error: S3Error, path: str, request_id: str, *, is_head: bool, closes: bool) -> int:
    body = error.body(path, request_id)
    headers = [
        (b"content-type", XML),
        (b"content-length", b"%d" % len(body)),
        (b"x-amz-request-id", request_id.encode()),
        *([(b"connection", b"close")] if closes else []),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
    return error.status


def _check_features(request: S3Request) -> None:
    """Refuse what R2 refuses too, where silence would lose something."""
    if "x-amz-tagging" in request.headers:
        raise not_implemented(f"Header 'x-amz-tagging' with value '{request.headers['x-amz-tagging']}'")
    if request.method == "POST" and not request.key and "delete" not in dict(request.query):
        raise not_implemented("PostObject")


def _check_metadata(attributes: R2Attributes) -> None:
    size = sum(len(text.encode()) for pair in attributes.custom.items() for text in pair)
    if size > MAX_METADATA_BYTES:
        raise S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.")


def _upload_checksum(request: S3Request) -> UploadChecksum | None:
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").lower()
    if not algorithm:
        return None
    if algorithm not in CHECKSUM_BYTES:
        raise not_implemented(f"The checksum algorithm {algorithm.upper()} is")
    kind = request.headers.get("x-amz-checksum-type", "FULL_OBJECT" if algorithm == "crc64nvme" else "COMPOSITE")
    if (algorithm == "crc64nvme" and kind == "COMPOSITE") or (algorithm.startswith("sha") and kind != "COMPOSITE"):
        raise S3Error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.upper()} checksum algorithm.",
        )
    return UploadChecksum(algorithm, kind == "COMPOSITE")


def _is_bucket_name(name: str) -> bool:
    """Tell whether R2 takes a name: 3 to 63 small letters, digits and hyphens, no hyphen at an end."""
    return _BUCKET_NAME.fullmatch(name) is not None
