"""How the S3 API stands in the server: what it imports, what it says, what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from s3_server import S3Server
from signing import Signed

from pyworkers.clock import ManualClock
from pyworkers.config import load_project
from pyworkers.engines.r2.s3_engine import S3R2Engine
from pyworkers.runtime.stores import Stores

TOOLS = """
[tool.pyworkers.engines]
r2 = "s3"

[tool.pyworkers.s3]
endpoint_url = "http://localhost:9000"
access_key_id_env = "KEY"
buckets = { photos = "company-photos" }
"""


def test_a_server_whose_s3_api_is_not_used_imports_neither_moto_nor_boto3() -> None:
    program = """
        import sys
        import pyworkers.server.dev, pyworkers.runtime.stores, pyworkers.bindings.r2, pyworkers.engines.r2.moto_engine
        import pyworkers.engines.r2.s3_engine
        print(sorted({name.partition(".")[0] for name in sys.modules} & {"moto", "boto3", "botocore", "crcmod"}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == "[]\n"


def test_the_server_says_where_the_api_is_and_what_signs(server: S3Server) -> None:
    from io import StringIO

    from pyworkers.server.access import AccessLog
    from pyworkers.server.s3 import S3Route
    from pyworkers.server.terminal import Output

    route = S3Route(server.runtime, AccessLog(Output(StringIO()), several=False))
    assert list(route.describe("http://localhost:8787")) == [
        "S3 API  http://localhost:8787/cdn-cgi/s3",
        f"        access key {server.credentials.access_key_id}",
        f"        secret key {server.credentials.secret_access_key}",
    ]


def test_a_page_from_elsewhere_may_not_use_the_api(server: S3Server) -> None:
    answer = Signed(server, "GET", "/photos/k", "UNSIGNED-PAYLOAD", unsigned={"origin": "https://evil.example"}).send()
    assert (answer.status_code, answer.text) == (403, "Invalid Origin header")


def test_two_clients_share_a_connection_after_a_refusal(server: S3Server) -> None:
    url = f"http://127.0.0.1:{server.port}/cdn-cgi/s3/photos/k"
    with httpx.Client(timeout=120) as client:
        assert [client.put(url, content=b"x" * 100_000).status_code for _ in range(3)] == [403, 403, 403]


def test_storage_that_fails_is_an_internal_error_and_the_server_lives(server: S3Server, s3: Any) -> None:
    s3.put_object(Bucket="photos", Key="k", Body=b"x" * 100_000)
    folder = server.runtime.stores.path_of("r2", "photos")
    assert folder is not None
    (blob,) = [path for path in folder.glob("blobs/*/*") if path.is_file()]
    blob.unlink()
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="photos", Key="k")
    answer = refused.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]) == (
        500,
        "InternalError",
        "We encountered an internal error. Please try again.",
    )
    assert s3.head_object(Bucket="photos", Key="k")["ContentLength"] == 100_000


# ---- the engine s3


def test_a_project_chooses_an_endpoint(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text(TOOLS)
    monkeypatch.setenv("KEY", "my-key")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    config = load_project(project, environ={})
    stores = Stores(project / "state", config, ManualClock())
    engine = stores.engine("r2", "photos")
    assert isinstance(engine, S3R2Engine)
    client = engine._client
    assert (client.bucket, client._settings.endpoint_url, client._settings.region) == (
        "company-photos",
        "http://localhost:9000",
        "auto",
    )
    assert (client._settings.access_key_id, client._settings.secret_access_key) == ("my-key", None)
    assert stores.describe("r2", config.primary.r2_buckets[0]) == "photos  s3, http://localhost:9000"


class TestWithObjectsElsewhere:
    @pytest.fixture
    def project(self, project: Path) -> Path:
        (project / "pyproject.toml").write_text(TOOLS)
        return project

    def test_the_api_says_where_the_objects_are(self, s3: Any) -> None:
        with pytest.raises(ClientError) as refused:
            s3.list_buckets()
        assert refused.value.response["Error"]["Message"] == (
            "This project keeps its objects on another S3 endpoint, see [tool.pyworkers.s3]: use that one."
        )

    def test_a_worker_gets_r2s_error_where_the_endpoint_does_not_answer(
        self, server: S3Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(os.environ, "AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setitem(os.environ, "AWS_ACCESS_KEY_ID", "key")

        async def read() -> str:
            try:
                await server.bucket.head("k")
            except Exception as error:
                return str(error)
            return "nothing was raised"

        assert server.run(read()) == ("Error: head: We encountered an internal error. Please try again. (10001)")
