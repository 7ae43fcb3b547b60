"""Every key of wrangler's schema is used, or accepted with one line that says it does nothing here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyworkers.config import load_worker
from pyworkers.config.keys import FRIENDLY_NAMES, KEYS, USED
from pyworkers.config.model import NoEffect, OtherBinding
from pyworkers.errors import ConfigError

# The top-level keys of wrangler 4.164.0's config-schema.json, by who sees them in a named environment.
INHERITED = """
    name account_id compatibility_date compatibility_flags main find_additional_modules preserve_file_names base_dir
    workers_dev preview_urls routes route tsconfig jsx_factory jsx_fragment migrations exports triggers limits rules
    build no_bundle minify keep_names first_party_worker logfwdr logpush upload_source_maps placement assets
    observability access cache compliance_region python_modules previews
"""
OWN = """
    define vars secrets durable_objects workflows cloudchamber containers kv_namespaces send_email queues connect
    r2_buckets d1_databases vectorize ai_search_namespaces ai_search agent_memory hyperdrive services
    analytics_engine_datasets browser analytics ai images media stream version_metadata unsafe mtls_certificates
    tail_consumers streaming_tail_consumers dispatch_namespaces pipelines k2 secrets_store_secrets artifacts
    unsafe_hello_world flagship ratelimits worker_loaders vpc_services vpc_networks
"""
TOP = """
    $schema pages_build_output_dir send_metrics dependencies_instrumentation dev site wasm_modules text_blobs
    data_blobs alias keep_vars addresses
"""

SAMPLES: dict[type, object] = {str: "x", bool: True}


def load(folder: Path, **keys: object) -> object:
    (folder / "entry.py").write_text("")
    config = {
        "name": "app",
        "main": "entry.py",
        "compatibility_date": "2026-01-01",
        "compatibility_flags": ["python_workers"],
    }
    (folder / "wrangler.json").write_text(json.dumps({**config, **keys}))
    return load_worker(folder / "wrangler.json")


@pytest.mark.parametrize(("names", "scope"), [(INHERITED, "inherited"), (OWN, "own"), (TOP, "top")])
def test_every_key_of_the_schema_has_wranglers_inheritance(names: str, scope: str) -> None:
    assert {name for name, key in KEYS.items() if key.scope == scope} == set(names.split())


def test_every_key_but_env_is_known() -> None:
    assert len(KEYS) == 90


def test_every_kind_of_binding_has_a_name_for_people() -> None:
    bindings = {name for name, key in KEYS.items() if key.binding is not None}
    assert bindings <= set(FRIENDLY_NAMES)


@pytest.mark.parametrize("name", sorted(name for name in KEYS if name not in USED))
def test_key_without_local_effect_is_accepted_with_one_line(name: str, tmp_path: Path) -> None:
    key = KEYS[name]
    assert key.note is not None
    assert "\n" not in key.note
    table = {} if key.binding is None else {key.binding: "THING"}
    value = SAMPLES.get(key.kind)
    if value is None:
        is_list = str(key.kind).startswith("tuple")
        value = [table] if is_list and "Mapping" in str(key.kind) else [] if is_list else table
    config = load(tmp_path, **{name: value})
    assert config.no_effect == (NoEffect(name, key.note),)  # type: ignore[attr-defined]
    assert str(config.no_effect[0]) == f'"{name}" has no local effect: {key.note}'  # type: ignore[attr-defined]
    expected = () if key.binding is None else (OtherBinding(name, "THING", key.note),)
    assert config.other_bindings == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kv-namespaces", 'Did you mean "kv_namespaces"?'),
        ("KV_NAMESPACES", 'Did you mean "kv_namespaces"?'),
        ("durableObjects", 'Did you mean "durable_objects"?'),
        ("d1", 'Did you mean "d1_databases"?'),
        ("usage_model", "Remove it, or pass --allow-unknown-config."),
    ],
)
def test_unknown_key_is_told_with_what_to_do(name: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **{name: "x"})
    assert caught.value.message == f'Unexpected field found in the top level: "{name}"'
    assert caught.value.hint == hint


def test_option_without_local_effect_inside_a_table_is_named(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        kv_namespaces=[{"binding": "KV", "id": "1", "remote": True}, {"binding": "KV2", "remote": False}],
        dev={"port": 9000, "inspector_port": 9229},
        triggers={"crons": ["* * * * *"], "events": [{"type": "cf.artifacts.repo.created"}]},
    )
    assert [str(entry) for entry in config.no_effect] == [  # type: ignore[attr-defined]
        '"kv_namespaces[0].remote" has no local effect: every binding is local here',
        '"dev.inspector_port" has no local effect: debug with breakpoint() instead',
        '"triggers.events" has no local effect: Cloudflare account events do not happen here',
    ]


def test_addresses_that_wrangler_would_put_into_requests_are_said_to_have_no_effect(tmp_path: Path) -> None:
    dev = {"host": "example.com", "upstream_protocol": "https", "local_protocol": "https", "generate_types": True}
    config = load(tmp_path, routes=["example.com/*"], dev=dev)
    assert [str(entry) for entry in config.no_effect] == [  # type: ignore[attr-defined]
        '"dev.local_protocol" has no local effect: the local server speaks plain HTTP',
        '"dev.upstream_protocol" has no local effect: a worker sees the address that the client asked for',
        '"dev.host" has no local effect: a worker sees the address that the client asked for',
        '"dev.generate_types" has no local effect: run `pywrangler types`',
        '"routes" has no local effect: every request comes to the worker, whatever its host and path',
    ]
    assert load(tmp_path, dev={"local_protocol": "http"}).no_effect == ()  # type: ignore[attr-defined]
