"""The S3 API as the AWS command line and rclone use it, unchanged."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from s3_server import S3Server

MIB = 1024 * 1024
AWS = Path(sys.executable).parent / "aws"
RCLONE = shutil.which("rclone")


def pattern(size: int) -> bytes:
    block = hashlib.sha256(b"tools").digest() * 1024
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "small.txt").write_bytes(b"hello")
    (folder / "sub" / "ü b.bin").write_bytes(pattern(MIB))
    (folder / "large.bin").write_bytes(pattern(17 * MIB))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def call(command: list[str], environment: dict[str, str]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**kept, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_aws_command_line_syncs_lists_and_removes(server: S3Server, folder: Path, tmp_path: Path) -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": server.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.credentials.secret_access_key,
        "AWS_DEFAULT_REGION": "auto",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_ENDPOINT_URL": server.url,
        "LC_ALL": "C.UTF-8",
    }

    def aws(*arguments: str) -> str:
        return call([str(AWS), *arguments], environment)

    aws("s3", "mb", "s3://more")
    aws("s3", "sync", str(folder), "s3://more/files", "--only-show-errors")
    listed = [line.split(maxsplit=3)[2:] for line in aws("s3", "ls", "--recursive", "s3://more").splitlines()]
    assert listed == [
        ["17825792", "files/large.bin"],
        ["5", "files/small.txt"],
        ["1048576", "files/sub/ü b.bin"],
    ]
    aws("s3", "cp", "s3://more/files/large.bin", "s3://photos/copy.bin", "--only-show-errors")
    aws("s3", "cp", "s3://photos/copy.bin", str(tmp_path / "copy.bin"), "--only-show-errors")
    assert (tmp_path / "copy.bin").read_bytes() == pattern(17 * MIB)
    aws("s3", "sync", "s3://more/files", str(tmp_path / "back"), "--only-show-errors")
    assert files(tmp_path / "back") == files(folder)
    aws("s3", "rb", "--force", "s3://more")
    assert [line.split()[2] for line in aws("s3", "ls").splitlines()] == ["photos"]


@pytest.mark.skipif(RCLONE is None, reason="rclone is not on the PATH")
def test_rclone_copies_checks_and_removes(server: S3Server, folder: Path, tmp_path: Path) -> None:
    environment = {
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_CONFIG_LOCAL_TYPE": "s3",
        "RCLONE_CONFIG_LOCAL_PROVIDER": "Cloudflare",
        "RCLONE_CONFIG_LOCAL_ACCESS_KEY_ID": server.credentials.access_key_id,
        "RCLONE_CONFIG_LOCAL_SECRET_ACCESS_KEY": server.credentials.secret_access_key,
        "RCLONE_CONFIG_LOCAL_REGION": "auto",
        "RCLONE_CONFIG_LOCAL_ENDPOINT": server.url,
    }

    def rclone(*arguments: str) -> str:
        assert RCLONE is not None
        return call([RCLONE, *arguments], environment)

    rclone("mkdir", "local:more")
    rclone("copy", str(folder), "local:more/files", "--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M")
    rclone("check", str(folder), "local:more/files", "--download")
    assert rclone("lsf", "-R", "--files-only", "local:more").splitlines() == [
        "files/large.bin",
        "files/small.txt",
        "files/sub/ü b.bin",
    ]
    rclone("copyto", "local:more/files/small.txt", "local:photos/copied.txt")
    rclone("moveto", "local:photos/copied.txt", "local:photos/moved.txt")
    assert rclone("cat", "local:photos/moved.txt") == "hello"
    rclone("purge", "local:more")
    assert [line.split()[-1] for line in rclone("lsd", "local:").splitlines()] == ["photos"]
