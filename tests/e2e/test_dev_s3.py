"""``pyworkers dev`` and boto3 on the same bucket."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from dev_process import StartDev

WORKER = """
from workers import Response

async def fetch(request, env):
    found = await env.PHOTOS.get("k")
    await env.PHOTOS.put("from worker", "written by the worker")
    return Response(await found.text() if found else "none")
"""
BUCKET = '\n[[r2_buckets]]\nbinding = "PHOTOS"\nbucket_name = "photos"\n'


def keys(text: str) -> tuple[str, str, str]:
    url, key, secret = (re.search(rf"{name} +(\S+)", text) for name in ("S3 API", "access key", "secret key"))
    assert url is not None
    assert key is not None
    assert secret is not None
    return url[1], key[1], secret[1]


def client(text: str) -> Any:
    url, key, secret = keys(text)
    session = boto3.session.Session()
    return session.client(
        "s3", endpoint_url=url, region_name="auto", aws_access_key_id=key, aws_secret_access_key=secret
    )


def test_boto3_and_the_worker_share_a_bucket_and_the_keys_stay(
    make_worker: Callable[..., Path], start_dev: StartDev
) -> None:
    folder = make_worker("main", WORKER, config=BUCKET)
    dev = start_dev(folder=folder)
    s3 = client(dev.text)
    s3.put_object(Bucket="photos", Key="k", Body=b"written by boto3")
    assert dev.get().text == "written by boto3"
    assert s3.get_object(Bucket="photos", Key="from worker")["Body"].read() == b"written by the worker"
    s3.close()
    dev.wait_for("GET /cdn-cgi/s3/photos/from worker 200")
    first = keys(dev.text)
    assert dev.stop() == 0
    again = start_dev(folder=folder)
    assert keys(again.text)[1:] == first[1:]
    s3 = client(again.text)
    assert s3.get_object(Bucket="photos", Key="k")["Body"].read() == b"written by boto3"
    s3.close()


def test_a_project_without_buckets_says_nothing_of_s3(make_worker: Callable[..., Path], start_dev: StartDev) -> None:
    dev = start_dev(folder=make_worker("main", WORKER))
    assert "S3 API" not in dev.text
    assert dev.stop() == 0
