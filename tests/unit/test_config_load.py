"""One wrangler file: what is read, and what is refused with file, key, line and a next step."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import LoadOptions, OtherBinding, WorkerConfig, load_worker
from pyworkers.config import tables as t
from pyworkers.errors import ConfigError

TODAY = ManualClock(1_795_392_000.0)  # 2026-11-23T00:00:00Z
HEAD = """\
name = "app"
main = "entry.py"
compatibility_date = "2026-01-01"
compatibility_flags = ["python_workers"]
"""


def load(
    folder: Path,
    text: str,
    *,
    name: str = "wrangler.toml",
    environment: str | None = None,
    environ: dict[str, str] | None = None,
    allow_unknown: bool = False,
) -> WorkerConfig:
    (folder / "entry.py").touch()
    path = folder / name
    path.write_text(text)
    options = LoadOptions(allow_unknown=allow_unknown, environ=environ or {}, clock=TODAY)
    return load_worker(path, environment, options)


@dataclass
class Failure:
    message: str
    key: str | None
    line: int | None
    hint: str | None


def failure(folder: Path, text: str, *, name: str = "wrangler.toml", environment: str | None = None) -> Failure:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, name=name, environment=environment)
    assert caught.value.file == folder / name
    return Failure(caught.value.message, caught.value.key, caught.value.line, caught.value.hint)


EVERYTHING = """
workers_dev = false
routes = ["example.com/*", { pattern = "app.example.com", custom_domain = true }]
find_additional_modules = true
base_dir = "src"
rules = [{ type = "Text", globs = ["**/*.txt"] }]
limits = { cpu_ms = 50, subrequests = 10 }
kv_namespaces = [{ binding = "KV", id = "abc", preview_id = "def" }]
version_metadata = { binding = "VERSION" }
ai = { binding = "AI" }
analytics_engine_datasets = [{ binding = "AE", dataset = "events" }]
vectorize = [{ binding = "VEC", index_name = "docs" }]
hyperdrive = [{ binding = "PG", id = "1", localConnectionString = "postgres://localhost/x" }]
send_email = [{ name = "MAIL", destination_address = "a@example.com" }]
tail_consumers = [{ service = "tail" }]
browser = { binding = "BROWSER" }

[vars]
TEXT = "a"
LIST = [1, 2.5, true]
TABLE = { deep = { er = "x" } }

[[d1_databases]]
binding = "DB"
database_name = "main"
database_id = "uuid"

[[r2_buckets]]
binding = "BUCKET"
bucket_name = "files"

[[services]]
binding = "API"
service = "api"
entrypoint = "Admin"
props = { role = "admin" }

[durable_objects]
bindings = [{ name = "ROOM", class_name = "Room" }, { name = "OTHER", class_name = "X", script_name = "y" }]

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Old", "Gone"]
new_classes = ["Legacy"]

[[migrations]]
tag = "v2"
renamed_classes = [{ from = "Old", to = "Room" }]
deleted_classes = ["Gone"]

[[queues.producers]]
binding = "QUEUE"
queue = "jobs"
delivery_delay = 5

[[queues.consumers]]
queue = "jobs"
max_batch_size = 10
max_batch_timeout = 0.5
dead_letter_queue = "dead"

[[workflows]]
binding = "FLOW"
name = "flow"
class_name = "Flow"

[[ratelimits]]
name = "LIMIT"
namespace_id = "1"
simple = { limit = 5, period = 60 }

[triggers]
crons = ["*/5 * * * *"]

[assets]
directory = "public"
binding = "ASSETS"
not_found_handling = "404-page"
run_worker_first = ["/api/*"]

[dev]
port = 9000

[build]
watch_dir = ["src", "lib"]

[observability]
enabled = true
head_sampling_rate = 0.5
logs = { invocation_logs = false }

[python_modules]
exclude = ["**/tests/**"]
"""


@pytest.mark.parametrize("name", ["r2", "Photos", "my_photos", "-photos", "photos-", "p" * 64])
def test_a_bucket_that_cannot_be_deployed_is_told(name: str, tmp_path: Path) -> None:
    text = (
        HEAD
        + '[[r2_buckets]]\nbinding = "A"\nbucket_name = "photos-2"\n'
        + f'[[r2_buckets]]\nbinding = "B"\nbucket_name = "{name}"\n'
    )
    assert load(tmp_path, text).warnings == (
        f'r2_buckets[1].bucket_name="{name}" cannot be deployed. Bucket names must begin and end with an alphanumeric '
        "character, only contain lowercase letters, numbers, and hyphens, and be between 3 and 63 characters long.",
    )


@pytest.mark.parametrize("table", ['[assets]\ndirectory = "public"\nbinding = "FILES"', "[secrets]\nrequired = ['A']"])
def test_what_a_worker_needs_to_run_does_not_keep_a_command_from_its_bindings(table: str, tmp_path: Path) -> None:
    path = tmp_path / "wrangler.toml"
    path.write_text(f'{HEAD}kv_namespaces = [{{ binding = "KV", id = "x" }}]\n{table}\n')
    config = load_worker(path, options=LoadOptions(needs_main=False, environ={}, clock=TODAY))
    assert (config.main, config.kv_namespaces) == (None, (t.KVNamespace(binding="KV", id="x"),))


def test_every_used_key_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, HEAD + EVERYTHING) == WorkerConfig(
        name="app",
        config_path=tmp_path / "wrangler.toml",
        root=tmp_path,
        main=tmp_path / "entry.py",
        top_level_name="app",
        compatibility_date="2026-01-01",
        compatibility_flags=("python_workers",),
        vars={"TEXT": "a", "LIST": [1, 2.5, True], "TABLE": {"deep": {"er": "x"}}},
        kv_namespaces=(t.KVNamespace(binding="KV", id="abc", preview_id="def"),),
        d1_databases=(t.D1Database(binding="DB", database_name="main", database_id="uuid"),),
        r2_buckets=(t.R2Bucket(binding="BUCKET", bucket_name="files"),),
        analytics_engine_datasets=(t.AnalyticsEngineDataset(binding="AE", dataset="events"),),
        services=(t.ServiceBinding(binding="API", service="api", entrypoint="Admin", props={"role": "admin"}),),
        ai=t.AIBinding(binding="AI"),
        durable_objects=(
            t.DurableObjectBinding(name="ROOM", class_name="Room"),
            t.DurableObjectBinding(name="OTHER", class_name="X", script_name="y"),
        ),
        migrations=(
            t.Migration(tag="v1", new_sqlite_classes=("Old", "Gone"), new_classes=("Legacy",)),
            t.Migration(
                tag="v2",
                renamed_classes=(t.RenamedClass(from_="Old", to="Room"),),
                deleted_classes=("Gone",),
            ),
        ),
        queues=t.Queues(
            producers=(t.QueueProducer(binding="QUEUE", queue="jobs", delivery_delay=5),),
            consumers=(
                t.QueueConsumer(queue="jobs", max_batch_size=10, max_batch_timeout=0.5, dead_letter_queue="dead"),
            ),
        ),
        workflows=(t.WorkflowBinding(binding="FLOW", name="flow", class_name="Flow"),),
        crons=("*/5 * * * *",),
        assets=t.Assets(
            directory="public",
            binding="ASSETS",
            not_found_handling="404-page",
            run_worker_first=("/api/*",),
        ),
        limits=t.Limits(cpu_ms=50, subrequests=10),
        version_metadata=t.BindingName(binding="VERSION"),
        ratelimits=(t.RateLimit(name="LIMIT", namespace_id="1", simple=t.SimpleLimit(limit=5, period=60)),),
        vectorize=(t.VectorizeIndex(binding="VEC", index_name="docs"),),
        hyperdrive=(t.Hyperdrive(binding="PG", id="1", local_connection_string="postgres://localhost/x"),),
        send_email=(t.SendEmail(name="MAIL", destination_address="a@example.com"),),
        tail_consumers=(t.TailConsumer(service="tail"),),
        other_bindings=(OtherBinding("browser", "BROWSER", "Browser Run needs Cloudflare's browsers"),),
        routes=(
            t.Route(pattern="example.com/*"),
            t.Route(pattern="app.example.com", custom_domain=True),
        ),
        workers_dev=False,
        dev=t.Dev(port=9000),
        rules=(t.ModuleRule(type="Text", globs=("**/*.txt",)),),
        base_dir=tmp_path / "src",
        find_additional_modules=True,
        python_modules=t.PythonModules(exclude=("**/tests/**",)),
        build=t.Build(watch_dir=("src", "lib")),
        observability=t.Observability(
            enabled=True, head_sampling_rate=0.5, logs=t.ObservabilityPart(invocation_logs=False)
        ),
        no_effect=load(tmp_path, HEAD + EVERYTHING).no_effect,
    )


def test_classes_of_durable_objects_follow_the_migrations(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + EVERYTHING)
    assert config.durable_object_classes == {"Room": "sqlite", "Legacy": "kv"}


def test_exports_declare_classes_too(tmp_path: Path) -> None:
    text = HEAD + '[exports.Room]\ntype = "durable-object"\nstorage = "sqlite"\n[exports.Default]\ntype = "worker"'
    assert load(tmp_path, text).durable_object_classes == {"Room": "sqlite"}


def test_smallest_file_has_wranglers_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, HEAD) == WorkerConfig(
        name="app",
        config_path=tmp_path / "wrangler.toml",
        root=tmp_path,
        main=tmp_path / "entry.py",
        top_level_name="app",
        compatibility_date="2026-01-01",
        compatibility_flags=("python_workers",),
    )


def test_values_are_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD)
    with pytest.raises(FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        config.new = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["wrangler.json", "wrangler.jsonc", "other.json"])
def test_json_says_the_same_as_toml(name: str, tmp_path: Path) -> None:
    text = """{
      // comments and trailing commas are fine in both endings
      "name": "app", "main": "entry.py", "compatibility_date": "2026-01-01",
      "compatibility_flags": ["python_workers",],
      "vars": {"NOTHING": null, "N": 1.5},
    }"""
    config = load(tmp_path, text, name=name)
    assert (config.name, config.vars) == ("app", {"NOTHING": None, "N": 1.5})


def test_json_wins_over_jsonc_and_toml_as_in_wrangler(tmp_path: Path) -> None:
    load(tmp_path, HEAD)
    assert load_worker(tmp_path).name == "app"
    for number, name in enumerate(["wrangler.jsonc", "wrangler.json"]):
        load(tmp_path, json.dumps({"name": f"app{number}", "main": "entry.py"}), name=name)
        assert load_worker(tmp_path).name == f"app{number}"
    assert "wrangler.json is read; wrangler.jsonc and wrangler.toml beside it is not." in load_worker(tmp_path).warnings


def test_configuration_may_be_apart_from_the_code(tmp_path: Path) -> None:
    (tmp_path / "workers/api").mkdir(parents=True)
    (tmp_path / "workers/api/entry.py").touch()
    config = load(tmp_path, HEAD.replace("entry.py", "workers/api/entry.py"))
    assert (config.root, config.main) == (tmp_path, tmp_path / "workers/api/entry.py")


def test_worker_of_assets_only_needs_no_main(tmp_path: Path) -> None:
    config = load(tmp_path, 'name = "site"\ncompatibility_date = "2026-01-01"\nassets = { directory = "public" }')
    assert (config.main, config.warnings) == (None, ())


def test_what_deploy_would_refuse_is_warned_of(tmp_path: Path) -> None:
    config = load(tmp_path, 'main = "entry.py"')
    assert (config.name, config.compatibility_date) == ("worker", "2026-11-23")
    assert config.warnings == (
        'wrangler.toml has no "name": the worker is called "worker", and cannot be deployed.',
        "The `python_workers` compatibility flag is required to use Python.",
        "No compatibility_date was specified. Using the default compatibility date: 2026-11-23.",
    )
    assert config.compat.python_version == "3.14"


def test_redundant_flag_is_a_warning(tmp_path: Path) -> None:
    text = HEAD.replace('"python_workers"', '"python_workers", "url_standard"')
    assert load(tmp_path, text).warnings == (
        "The compatibility flag url_standard became the default as of 2022-10-31 "
        "so does not need to be specified anymore.",
    )


# Wrong files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'name = "app\n',
            Failure(
                "wrangler.toml is not valid TOML: Illegal character '\\n'.",
                None,
                1,
                'Look at line 1: name = "app',
            ),
        ),
        (
            'name = "a"\n[vars\nA = 1\n',
            Failure(
                "wrangler.toml is not valid TOML: Expected ']' at the end of a table declaration.",
                None,
                2,
                "Look at line 2: [vars",
            ),
        ),
        (
            'a = """open\n\n',
            Failure(
                "wrangler.toml is not valid TOML: Unterminated string.",
                None,
                3,
                "Line 3 is empty: look above it for what is not complete.",
            ),
        ),
        (
            "",
            Failure(
                "Missing entry-point to Worker script or to assets directory.",
                None,
                None,
                'Add main = "src/entry.py", or [assets] with a directory.',
            ),
        ),
    ],
)
def test_malformed_toml_is_refused_with_its_line(text: str, expected: Failure, tmp_path: Path) -> None:
    assert failure(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{\n"name": "a"\n"main": "b"}',
            Failure(
                "wrangler.json is not valid JSON: expected ',' or '}' but found '\"'.",
                None,
                3,
                'Look at line 3: "main": "b"}',
            ),
        ),
        (
            "",
            Failure(
                "wrangler.json is not valid JSON: expected a value but found the end of the file.",
                None,
                1,
                "The file is empty: write the worker's configuration into it.",
            ),
        ),
        (
            "[]",
            Failure(
                "wrangler.json should hold an object but holds [].",
                None,
                1,
                'Start the file with "{".',
            ),
        ),
    ],
)
def test_malformed_json_is_refused_with_its_line(text: str, expected: Failure, tmp_path: Path) -> None:
    assert failure(tmp_path, text, name="wrangler.json") == expected


def test_file_that_is_missing_a_folder_or_not_text(tmp_path: Path) -> None:
    load(tmp_path, HEAD)
    with pytest.raises(ConfigError) as caught:
        load_worker(tmp_path / "wranglr.toml")
    assert caught.value.message == f"Could not read file: {tmp_path / 'wranglr.toml'}: it does not exist."
    assert caught.value.hint == f"Did you mean {tmp_path / 'wrangler.toml'}?"

    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_worker(tmp_path / "empty")
    assert caught.value.message == (
        f"Could not read file: {tmp_path / 'empty'}: it is a folder without a wrangler file."
    )
    assert caught.value.hint == "Create wrangler.toml in it, or name the configuration file."

    (tmp_path / "wrangler.toml").write_bytes(b'name = "a"\nmain = "\xff"\n')
    with pytest.raises(ConfigError) as caught:
        load_worker(tmp_path / "wrangler.toml")
    assert caught.value.message == "wrangler.toml is not UTF-8: byte 0xff on line 2."
    assert caught.value.line == 2

    with pytest.raises(ConfigError) as caught:
        load_worker(tmp_path / "no" / "wrangler.toml")
    assert caught.value.hint == f"The folder {tmp_path / 'no'} does not exist either."


@pytest.mark.parametrize(
    ("extra", "key", "line", "message", "hint"),
    [
        (
            "compatability_date = 1",
            "compatability_date",
            5,
            'Unexpected field found in the top level: "compatability_date"',
            'Did you mean "compatibility_date"?',
        ),
        (
            '[[kv_namespaces]]\nbinding = "A"\n[[kv_namespaces]]\nbindings = "B"',
            "kv_namespaces[1].bindings",
            8,
            'Unexpected field found in "kv_namespaces[1]": "bindings"',
            'Did you mean "binding"?',
        ),
        (
            "[limits]\nzzz = 1",
            "limits.zzz",
            6,
            'Unexpected field found in "limits": "zzz"',
            "The keys there are: cpu_ms, subrequests.",
        ),
        (
            '[browser]\nbinding = "B"\nremot = true',
            "browser.remot",
            7,
            'Unexpected field found in "browser": "remot"',
            'Did you mean "remote"?',
        ),
        (
            "[env.staging.dev]\nport = 1",
            None,
            None,
            None,
            None,
        ),
    ],
)
def test_unknown_key_is_refused_with_the_nearest(
    extra: str, key: str | None, line: int | None, message: str | None, hint: str | None, tmp_path: Path
) -> None:
    if key is None:
        load(tmp_path, HEAD + extra)  # an environment that is not chosen is not judged, as in wrangler
        return
    assert failure(tmp_path, HEAD + extra) == Failure(str(message), key, line, hint)


def test_key_of_the_top_level_is_unknown_in_an_environment(tmp_path: Path) -> None:
    found = failure(tmp_path, HEAD + "[env.staging.dev]\nport = 1", environment="staging")
    assert (found.message, found.key, found.line) == (
        'Unexpected field found in "env.staging": "dev"',
        "env.staging.dev",
        5,
    )


def test_unknown_keys_and_flags_can_be_allowed(tmp_path: Path) -> None:
    text = HEAD.replace('"python_workers"', '"python_workers", "new_flag"') + "compatability_date = 1\n"
    config = load(tmp_path, text, allow_unknown=True)
    assert config.warnings == (
        'wrangler.toml:5: Unexpected field found in the top level: "compatability_date"; '
        'did you mean "compatibility_date"?',
        "No such compatibility flag: new_flag",
    )


@pytest.mark.parametrize(
    ("extra", "key", "line", "message"),
    [
        ("workers_dev = 1", "workers_dev", 5, 'Expected "workers_dev" to be of type boolean but got 1.'),
        ("vars = 1", "vars", 5, 'Expected "vars" to be of type object but got 1.'),
        ("routes = 'a'", "routes", 5, 'Expected "routes" to be of type array but got "a".'),
        ("routes = [1]", "routes[0]", 5, 'Expected "routes[0]" to be of type string or object but got 1.'),
        (
            "kv_namespaces = {}",
            "kv_namespaces",
            5,
            'Expected "kv_namespaces" to be of type array but got {}.',
        ),
        (
            "kv_namespaces = ['A']",
            "kv_namespaces[0]",
            5,
            'Expected "kv_namespaces[0]" to be of type object but got "A".',
        ),
        (
            "[[services]]\nbinding = 'A'\nservice = 5",
            "services[0].service",
            7,
            'Expected "services[0].service" to be of type string but got 5.',
        ),
        (
            "[[services]]\nbinding = 'A'",
            "services[0]",
            5,
            '"services[0].service" is a required field.',
        ),
        ("[browser]", "browser", 5, '"browser.binding" is a required field.'),
        ("[ai]\nbinding = 5", "ai.binding", 6, 'Expected "ai.binding" to be of type string but got 5.'),
        (
            "[dev]\nport = '1'",
            "dev.port",
            6,
            'Expected "dev.port" to be of type number but got "1".',
        ),
        ("[dev]\nport = true", "dev.port", 6, 'Expected "dev.port" to be of type number but got true.'),
        ("[dev]\nport = 1.5", "dev.port", 6, 'Expected "dev.port" to be of type number but got 1.5.'),
        (
            "[dev]\nlocal_protocol = 'ftp'",
            "dev.local_protocol",
            6,
            'Expected "dev.local_protocol" field to be one of ["http","https"] but got "ftp".',
        ),
        (
            "[assets]\nhtml_handling = 'x'",
            "assets.html_handling",
            6,
            'Expected "assets.html_handling" field to be one of '
            '["auto-trailing-slash","force-trailing-slash","drop-trailing-slash","none"] but got "x".',
        ),
        (
            "[[ratelimits]]\nname = 'L'\nnamespace_id = '1'\nsimple = { limit = 1, period = 30 }",
            "ratelimits[0].simple.period",
            8,
            'Expected "ratelimits[0].simple.period" field to be one of [10,60] but got 30.',
        ),
        (
            "[vars]\nWHEN = 2025-12-19",
            "vars.WHEN",
            6,
            'The field "vars.WHEN" is a TOML date, which is not supported. '
            'Please use a string instead, e.g. WHEN = "2025-12-19".',
        ),
        ("[env]\nstaging = 1", "env.staging", 6, 'Expected "env.staging" to be of type object but got 1.'),
        (
            "route = 'a'\nroutes = ['b']",
            "route",
            5,
            'Expected exactly one of the following fields ["routes","route"].',
        ),
        (
            "legacy_env = true",
            "legacy_env",
            5,
            'The "legacy_env" field is no longer supported, so please remove it from your configuration file.',
        ),
        ("minify = 'x'", "minify", 5, 'Expected "minify" to be of type boolean but got "x".'),
    ],
)
def test_value_of_a_wrong_type_is_refused(extra: str, key: str, line: int, message: str, tmp_path: Path) -> None:
    found = failure(tmp_path, HEAD + extra)
    assert (found.message, found.key, found.line) == (message, key, line)
    assert found.hint


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"app"',
            '"My App!"',
            Failure(
                'Expected "name" to be of type string, alphanumeric and lowercase with dashes only but got "My App!".',
                "name",
                1,
                'Name it "my-app".',
            ),
        ),
        (
            '"entry.py"',
            '"entri.py"',
            Failure('The entry-point file at "entri.py" was not found.', "main", 2, 'Did you mean "entry.py"?'),
        ),
        (
            '"entry.py"',
            '"src"',
            Failure('The entry-point file at "src" is a folder.', "main", 2, 'Did you mean "src/worker.py"?'),
        ),
        (
            '"2026-01-01"',
            "2026-01-01",
            Failure(
                'Expected "compatibility_date" to be of type string but got "2026-01-01".',
                "compatibility_date",
                3,
                "Give a string, in double quotes.",
            ),
        ),
        (
            '"2026-01-01"',
            '"tomorrow"',
            Failure(
                "Invalid compatibility date: tomorrow",
                "compatibility_date",
                3,
                "Write a past date as yyyy-mm-dd, in double quotes.",
            ),
        ),
        (
            '"2026-01-01"',
            '"2027-01-01"',
            Failure(
                'Can\'t set compatibility date in the future: "2027-01-01". Today\'s date (UTC) is "2026-11-23".',
                "compatibility_date",
                3,
                "Write a past date as yyyy-mm-dd, in double quotes.",
            ),
        ),
        (
            '["python_workers"]',
            '[\n  "python_workers",\n  "python_workflow",\n]',
            Failure(
                "No such compatibility flag: python_workflow",
                "compatibility_flags[1]",
                6,
                'Did you mean "python_workflows"?',
            ),
        ),
        (
            '["python_workers"]',
            '["python_workers", "python_workers"]',
            Failure(
                "Compatibility flag specified multiple times: python_workers",
                "compatibility_flags[0]",
                4,
                'Remove "python_workers".',
            ),
        ),
    ],
)
def test_identity_is_checked(old: str, new: str, expected: Failure, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/worker.py").touch()
    assert failure(tmp_path, HEAD.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("extra", "key", "line", "message"),
    [
        (
            "[vars]\nDB = 'x'\n[[d1_databases]]\nbinding = 'DB'",
            "vars.DB",
            6,
            "DB assigned to D1 Database and Environment Variable bindings.",
        ),
        (
            "[[kv_namespaces]]\nbinding = 'KV'\n[[kv_namespaces]]\nbinding = 'KV'",
            "kv_namespaces[1]",
            7,
            "KV assigned to multiple KV Namespace bindings.",
        ),
        (
            "[durable_objects]\nbindings = [{ name = 'Q', class_name = 'C' }]\n"
            "[[queues.producers]]\nbinding = 'Q'\nqueue = 'q'",
            "queues.producers[0]",
            7,
            "Q assigned to Durable Object and Queue bindings.",
        ),
        (
            "[vars]\nKEY = 'x'\n[secrets]\nrequired = ['A', 'KEY']",
            "secrets.required[1]",
            8,
            "KEY assigned to Environment Variable and Secret bindings.",
        ),
    ],
)
def test_two_bindings_of_one_name_are_refused(extra: str, key: str, line: int, message: str, tmp_path: Path) -> None:
    assert failure(tmp_path, HEAD + extra) == Failure(
        message + "\nBindings must have unique names, so that they can all be referenced in the worker.",
        key,
        line,
        "Please change your bindings to have unique names.",
    )


def test_binding_that_is_no_identifier_is_refused(tmp_path: Path) -> None:
    assert failure(tmp_path, HEAD + "[[kv_namespaces]]\nbinding = 'MY-KV'") == Failure(
        'The KV Namespace binding "MY-KV" is not a valid identifier.',
        "kv_namespaces[0]",
        5,
        "Use letters, digits and _ only, and no digit first.",
    )


def test_assets_binding_needs_a_worker(tmp_path: Path) -> None:
    text = 'name = "a"\n[assets]\ndirectory = "x"\nbinding = "A"'
    found = failure(tmp_path, text)
    assert (found.message, found.line) == ("Cannot use assets with a binding in an assets-only Worker.", 4)


# Secrets -----------------------------------------------------------------------------------------------------


def test_secret_wins_over_the_var_of_its_name(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("A=secret\nB=secret")
    config = load(tmp_path, HEAD + "[vars]\nA = 'plain'\nC = { x = 1 }")
    assert config.values == {"A": "secret", "B": "secret", "C": {"x": 1}}
    assert {name: secret.file for name, secret in config.secrets.items()} == {
        "A": tmp_path / ".dev.vars",
        "B": tmp_path / ".dev.vars",
    }


def test_declared_secrets_are_all_that_is_loaded(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB=2\nC=3")
    text = HEAD + "[vars]\nC = 'plain'\n[secrets]\nrequired = ['A', 'P']"
    config = load(tmp_path, text, environ={"P": "process", "HOME": "/"})
    assert config.values == {"A": "1", "C": "3", "P": "process"}


def test_missing_required_secret_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("A=1")
    assert failure(tmp_path, HEAD + "[secrets]\nrequired = ['A', 'B', 'C']") == Failure(
        "Missing required secrets: B, C.",
        "secrets.required",
        6,
        "Add them to .dev.vars, .env, or set as environment variables.",
    )


# Environments ------------------------------------------------------------------------------------------------


def test_environment_inherits_what_wrangler_lets_it(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
workers_dev = false
[vars]
A = "top"
B = "top"
[limits]
cpu_ms = 10
[triggers]
crons = ["* * * * *"]
[[kv_namespaces]]
binding = "ONE"
[[kv_namespaces]]
binding = "TWO"
[[d1_databases]]
binding = "DB"
[durable_objects]
bindings = [{ name = "ROOM", class_name = "Room" }]

[env.staging]
workers_dev = true
triggers = {}
[env.staging.vars]
A = "staging"
[[env.staging.kv_namespaces]]
binding = "TWO"
id = "staging"
"""
    )
    config = load(tmp_path, text, environment="staging")
    assert config == WorkerConfig(
        name="app-staging",
        config_path=tmp_path / "wrangler.toml",
        root=tmp_path,
        main=tmp_path / "entry.py",
        environment="staging",
        environments=("staging",),
        top_level_name="app",
        compatibility_date="2026-01-01",
        compatibility_flags=("python_workers",),
        workers_dev=True,
        vars={"A": "staging"},
        kv_namespaces=(t.KVNamespace(binding="TWO", id="staging"),),
        limits=t.Limits(cpu_ms=10),
        warnings=(
            'The following vars exist at the top level, but not on "env.staging.vars".\n'
            'This is probably not what you want, since "vars" configuration is not inherited by environments.\n'
            'Please add these vars to "env.staging.vars":\n- B',
            'There is a kv_namespaces binding with name "ONE" at the top level, but not on "env.staging".\n'
            'This is not what you probably want, since "kv_namespaces" configuration is not inherited by '
            'environments.\nPlease add a binding for "ONE" to "env.staging.kv_namespaces.bindings".',
            '"d1_databases" exists at the top level, but not on "env.staging".\n'
            'This is not what you probably want, since "d1_databases" is not inherited by environments.\n'
            'Please add "d1_databases" to "env.staging".',
            '"durable_objects" exists at the top level, but not on "env.staging".\n'
            'This is not what you probably want, since "durable_objects" is not inherited by environments.\n'
            'Please add "durable_objects" to "env.staging".',
        ),
    )
    assert config.crons == ()
    assert load(tmp_path, text).warnings == ()


def test_environment_may_name_itself(tmp_path: Path) -> None:
    text = HEAD + '[env.staging]\nname = "other"\nroute = "a/*"\n[env.x]\n'
    config = load(tmp_path, text, environment="staging")
    assert (config.name, config.top_level_name) == ("other", "app")
    assert load(tmp_path, text, environment="x").name == "app-x"


def test_route_of_an_environment_replaces_all_routes(tmp_path: Path) -> None:
    text = HEAD.replace("main", 'routes = ["a", "b"]\nmain') + '[env.staging]\nroute = "c"\n[env.x]'
    assert [r.pattern for r in load(tmp_path, text, environment="staging").routes] == ["c"]
    assert [r.pattern for r in load(tmp_path, text, environment="x").routes] == ["a", "b"]


def test_dev_vars_of_the_environment_are_read(tmp_path: Path) -> None:
    (tmp_path / ".dev.vars").write_text("A=1")
    (tmp_path / ".dev.vars.staging").write_text("A=2")
    assert load(tmp_path, HEAD + "[env.staging]", environment="staging").values == {"A": "2"}


def test_error_in_an_environment_points_at_its_line(tmp_path: Path) -> None:
    text = HEAD + "[env.staging.limits]\ncpu_ms = 'x'"
    found = failure(tmp_path, text, environment="staging")
    assert (found.key, found.line) == ("env.staging.limits.cpu_ms", 6)
    text = HEAD + "[env.staging]\nmain = 'no.py'"
    found = failure(tmp_path, text, environment="staging")
    assert (found.key, found.line) == ("env.staging.main", 6)


def test_unknown_environment_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    text = HEAD + "[env.staging]\n[env.production]"
    assert failure(tmp_path, text, environment="stagging") == Failure(
        'No environment found in configuration with name "stagging".\n'
        "Before using `--env=stagging` there should be an equivalent environment section in the configuration.\n"
        'The available configured environment names are: ["staging","production"]',
        "env",
        5,
        'Did you mean "staging"?',
    )


def test_environment_is_only_a_suffix_where_the_file_has_none(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + "[vars]\nA = '1'", environment="staging")
    assert (config.name, config.vars) == ("app-staging", {"A": "1"})
    assert config.warnings == (
        'No environment found in configuration with name "staging".\n'
        "Before using `--env=staging` there should be an equivalent environment section in the configuration.",
    )
