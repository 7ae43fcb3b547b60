"""`.dev.vars` and `.env` files, as wrangler reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyworkers.config.envfiles import expand_env, load_secrets, parse_env
from pyworkers.config.model import Secret
from pyworkers.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A = 1 ", {"A": "1"}),
        ("A: yaml style", {"A": "yaml style"}),
        ("export A=1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=1 # comment", {"A": "1"}),
        ("# A=1\n\nB=2", {"B": "2"}),
        ("A=#no value", {"A": ""}),
        ("A='#kept' # comment", {"A": "#kept"}),
        ('A="x\\ny"', {"A": "x\ny"}),
        ("A='x\\ny'", {"A": "x\\ny"}),
        ("A=x\\ny", {"A": "x\\ny"}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        ('A=`it\'s "both"`', {"A": 'it\'s "both"'}),
        ("A='{\"json\": true}'", {"A": '{"json": true}'}),
        ("A=a=b=c", {"A": "a=b=c"}),
        ("A.B-C=1", {"A.B-C": "1"}),
        ("no assignment\nA=1", {"A": "1"}),
        ("A=1\r\nB=2\rC=3", {"A": "1", "B": "2", "C": "3"}),
        ("A=1\nA=2", {"A": "2"}),
        ('A="open\nB=2', {"A": '"open', "B": "2"}),
        ("A=$B", {"A": "$B"}),
        ("", {}),
    ],
)
def test_dotenv_text_is_read_as_dotenv_reads_it(text: str, expected: dict[str, str]) -> None:
    assert parse_env(text) == expected


@pytest.mark.parametrize(
    ("values", "environ", "expected"),
    [
        ({"A": "1", "B": "$A-${A}"}, {}, {"A": "1", "B": "1-1"}),
        ({"A": "${NO}x"}, {}, {"A": "x"}),
        ({"A": "${NO:-two}${NO-three}"}, {}, {"A": "twothree"}),
        ({"A": "1", "B": "${A:+set}${NO+set}"}, {}, {"A": "1", "B": "set"}),
        ({"A": "\\$5"}, {}, {"A": "$5"}),
        ({"A": "file"}, {"A": "process"}, {"A": "process"}),
        ({"B": "$A"}, {"A": "process"}, {"B": "process"}),
        ({"A": "$A"}, {}, {"A": ""}),
        ({"A": "$B", "B": "$A"}, {}, {"A": "", "B": ""}),
    ],
)
def test_references_are_expanded(values: dict[str, str], environ: dict[str, str], expected: dict[str, str]) -> None:
    assert expand_env(values, environ) == expected


def load(folder: Path, environment: str | None = None, **options: object) -> dict[str, tuple[str, str | None]]:
    settings = {"declared": False, "environ": {}, **options}
    secrets = load_secrets(folder, environment, **settings)  # type: ignore[arg-type]
    return {name: (secret.value, secret.file and secret.file.name) for name, secret in secrets.items()}


def test_dev_vars_of_the_environment_is_read_alone(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("A=plain\nB=plain")
    (tmp_path / ".dev.vars.staging").write_text("A=staging")
    (tmp_path / ".env").write_text("A=env\nC=env")
    assert load(tmp_path) == {"A": ("plain", ".dev.vars"), "B": ("plain", ".dev.vars")}
    assert load(tmp_path, "staging") == {"A": ("staging", ".dev.vars.staging")}
    assert load(tmp_path, "production") == {"A": ("plain", ".dev.vars"), "B": ("plain", ".dev.vars")}


def test_env_files_are_merged_the_most_local_last(tmp_path: Path) -> None:
    for number, name in enumerate([".env", ".env.local", ".env.staging", ".env.staging.local"]):
        lines = [f"{key}={name}" for key in "ABCD"[number:]]
        (tmp_path / name).write_text("\n".join(lines))
    assert load(tmp_path) == {
        "A": (".env", ".env"),
        "B": (".env.local", ".env.local"),
        "C": (".env.local", ".env.local"),
        "D": (".env.local", ".env.local"),
    }
    assert load(tmp_path, "staging") == {
        "A": (".env", ".env"),
        "B": (".env.local", ".env.local"),
        "C": (".env.staging", ".env.staging"),
        "D": (".env.staging.local", ".env.staging.local"),
    }


def test_env_file_arguments_replace_all_others(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("A=dev")
    (tmp_path / "one").write_text("A=1\nB=1")
    (tmp_path / "two").write_text("B=2")
    files = [Path("one"), Path("two"), Path("missing")]
    assert load(tmp_path, env_files=files) == {"A": ("1", "one"), "B": ("2", "two")}


def test_process_environment_counts_when_secrets_are_declared(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file")
    environ = {"A": "process", "C": "process"}
    expected = {"A": ("process", None), "B": ("file", ".env"), "C": ("process", None)}
    assert load(tmp_path, declared=True, environ=environ) == expected
    included = {**environ, "CLOUDFLARE_INCLUDE_PROCESS_ENV": "true"}
    found = load(tmp_path, environ=included)
    assert {name: found[name] for name in expected} == expected
    assert load(tmp_path, environ=environ) == {"A": ("file", ".env"), "B": ("file", ".env")}


def test_env_files_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file")
    assert load(tmp_path, environ={"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "false"}) == {}


def test_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_bytes(b"\xef\xbb\xbfA=1")
    assert load(tmp_path) == {"A": ("1", ".dev.vars")}


def test_env_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / ".dev.vars"
    path.write_bytes(b"A=1\nB=\xff")
    with pytest.raises(ConfigError, match=r"^\.dev\.vars is not UTF-8 on line 2\.$") as caught:
        load(tmp_path)
    assert (caught.value.file, caught.value.line) == (path, 2)


def test_value_of_a_secret_is_not_printed(tmp_path: Path) -> None:
    secret = Secret("hunter2", tmp_path / ".dev.vars")
    assert repr(secret) == f"Secret(file={tmp_path / '.dev.vars'!r})"


def test_a_value_that_refers_to_itself_without_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=\\$A\\$A\nB=x$A\n")
    with pytest.raises(ConfigError) as caught:
        load_secrets(tmp_path, None, declared=False, environ={})
    assert str(caught.value) == "The value of B has no end: what it refers to refers to itself."
    assert (caught.value.file, caught.value.key) == (tmp_path / ".env", "B")
