"""Projects of several workers, and `[tool.pyworkers]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyworkers.clock import ManualClock
from pyworkers.config import AIConfig, Engines, MissingService, Project, ToolConfig, load_project
from pyworkers.errors import ConfigError

TODAY = ManualClock(1_795_392_000.0)  # 2026-11-23T00:00:00Z


def worker(folder: Path, name: str | None = None, extra: str = "", *, file: str = "wrangler.toml") -> Path:
    """Write a worker into ``folder``, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entry.py").touch()
    path = folder / file
    path.write_text(
        f'name = "{name or folder.name}"\nmain = "entry.py"\ncompatibility_date = "2026-01-01"\n'
        f'compatibility_flags = ["python_workers"]\n{extra}'
    )
    return path


def binds(*services: str) -> str:
    return "".join(f'[[services]]\nbinding = "{s.upper().replace("-", "_")}"\nservice = "{s}"\n' for s in services)


def load(folder: Path, *configs: str, **options: Any) -> Project:
    options.setdefault("environ", {})
    return load_project(folder, [Path(config) for config in configs], clock=TODAY, **options)


def names(project: Project) -> list[str]:
    return [one.name for one in project.workers]


def refusal(folder: Path, *configs: str, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder, *configs, **options)
    return caught.value


def test_worker_without_bindings_is_loaded_alone(tmp_path: Path) -> None:
    worker(tmp_path / "api")
    worker(tmp_path / "other")
    project = load(tmp_path / "api")
    assert names(project) == ["api"]
    assert project.primary is project.workers[0]
    assert (project.root, project.state_dir) == (tmp_path / "api", tmp_path / "api/.pyworkers/state")
    assert (project.tools, project.tools_path, project.warnings) == (ToolConfig(), None, ())


def test_configuration_above_the_folder_is_found(tmp_path: Path) -> None:
    worker(tmp_path / "api")
    (tmp_path / "api/src/deep").mkdir(parents=True)
    assert load(tmp_path / "api/src/deep").primary.root == tmp_path / "api"


def test_workers_that_are_bound_to_are_found_beside_it_transitively(tmp_path: Path) -> None:
    worker(tmp_path / "folder-a", "api", binds("streaming"))
    worker(tmp_path / "folder-b", "streaming", binds("events", "api"))
    worker(tmp_path / "folder-c", "events")
    worker(tmp_path / "folder-d", "unrelated")
    assert names(load(tmp_path / "folder-a")) == ["api", "streaming", "events"]


def test_every_kind_of_reference_to_a_worker_is_followed(tmp_path: Path) -> None:
    extra = (
        '[durable_objects]\nbindings = [{ name = "A", class_name = "A", script_name = "objects" }]\n'
        '[[workflows]]\nbinding = "B"\nname = "b"\nclass_name = "B"\nscript_name = "flows"\n'
        '[[tail_consumers]]\nservice = "tail"\n[[queues.producers]]\nbinding = "Q"\nqueue = "jobs"\n'
    )
    consume = '[[queues.consumers]]\nqueue = "jobs"\ndead_letter_queue = "dead"\n'
    worker(tmp_path / "api", extra=extra)
    for name in ("objects", "flows", "tail"):
        worker(tmp_path / name)
    worker(tmp_path / "consumer", extra=consume)
    worker(tmp_path / "undertaker", extra='[[queues.consumers]]\nqueue = "dead"\n')
    assert names(load(tmp_path / "api")) == ["api", "objects", "flows", "tail", "consumer", "undertaker"]


def test_globs_of_the_project_say_where_workers_are(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pyworkers]\nworkers = ["workers/*", "more/x/wrangler.toml"]\n')
    (tmp_path / "workers/api").mkdir(parents=True)
    worker(tmp_path, "root", binds("streaming", "x", "beside"))
    worker(tmp_path / "workers/streaming")
    worker(tmp_path / "more/x")
    worker(tmp_path.parent / "beside")
    (tmp_path / "workers/notes.txt").touch()
    project = load(tmp_path)
    assert names(project) == ["root", "streaming", "x"]
    assert project.root == tmp_path
    assert project.tools_path == tmp_path / "pyproject.toml"


@pytest.mark.parametrize("pattern", [".", "../{root}/workers/..", "{path}", "**"])
def test_a_glob_may_mean_the_projects_own_folder(tmp_path: Path, pattern: str) -> None:
    pattern = pattern.format(root=tmp_path.name, path=tmp_path.as_posix())
    (tmp_path / "pyproject.toml").write_text(f'[tool.pyworkers]\nworkers = ["{pattern}"]\n')
    (tmp_path / "workers/api").mkdir(parents=True)
    worker(tmp_path, "root")
    worker(tmp_path / "workers/api", extra=binds("root"))
    assert names(load(tmp_path / "workers/api")) == ["api", "root"]


def test_a_folder_without_configuration_is_told_of_those_outside_of_it(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/pyproject.toml").write_text('[tool.pyworkers]\nworkers = ["../api"]\n')
    worker(tmp_path / "api")
    assert refusal(tmp_path / "tools").hint == "Choose one: -c ../api/wrangler.toml"


def test_root_configuration_may_point_into_a_worker_folder(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pyworkers]\nworkers = ["workers/*"]\n')
    worker(tmp_path / "workers/api", "unused").unlink()
    worker(tmp_path, "api", binds("streaming"))
    path = tmp_path / "wrangler.toml"
    path.write_text(path.read_text().replace('"entry.py"', '"workers/api/entry.py"'))
    worker(tmp_path / "workers/streaming")
    project = load(tmp_path)
    assert names(project) == ["api", "streaming"]
    assert project.primary.main == tmp_path / "workers/api/entry.py"


def test_named_configurations_are_all_loaded_the_first_is_primary(tmp_path: Path) -> None:
    worker(tmp_path / "a", extra=binds("d"))
    worker(tmp_path / "b")
    worker(tmp_path / "c")
    worker(tmp_path / "d")
    assert names(load(tmp_path, "b/wrangler.toml", "a", "b")) == ["b", "a", "d"]


def test_missing_worker_is_no_error_and_has_the_nearest_name(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("steaming", "nothing-like-it"))
    worker(tmp_path / "streaming")
    project = load(tmp_path / "api")
    assert names(project) == ["api"]
    assert project.missing == (
        MissingService("api", "STEAMING", "steaming", "streaming"),
        MissingService("api", "NOTHING_LIKE_IT", "nothing-like-it", None),
    )
    assert project.worker("steaming") is None


def test_worker_may_bind_to_itself(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("api"))
    project = load(tmp_path / "api")
    assert (names(project), project.missing) == (["api"], ())


def test_two_workers_of_one_name_are_refused_with_both_files(tmp_path: Path) -> None:
    one, two = worker(tmp_path / "one", "same"), worker(tmp_path / "two", "same")
    error = refusal(tmp_path, "one", "two")
    assert error.message == f'Two workers are named "same": {one} and {two}.'
    assert (error.file, error.key, error.line, error.hint) == (two, "name", 1, "Give one of them another name.")

    worker(tmp_path / "api", extra=binds("same"))
    assert refusal(tmp_path / "api").message == error.message


def test_two_workers_of_one_name_that_nobody_needs_are_left_alone(tmp_path: Path) -> None:
    worker(tmp_path / "one", "same")
    worker(tmp_path / "two", "same")
    worker(tmp_path / "three", "needed")
    worker(tmp_path / "api", extra=binds("needed"))
    assert names(load(tmp_path / "api")) == ["api", "needed"]


def test_broken_neighbour_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("events", "lost"))
    worker(tmp_path / "events")
    broken = worker(tmp_path / "broken", extra="[")
    bad_values = worker(tmp_path / "bad-values", extra="workers_dev = 1")
    project = load(tmp_path / "api")
    assert names(project) == ["api", "events"]
    assert len(project.warnings) == 1
    assert project.warnings[0].startswith(f"{broken} is passed over: wrangler.toml is not valid TOML")
    assert bad_values.exists()


def test_broken_neighbours_are_not_mentioned_where_everything_was_found(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("events"))
    worker(tmp_path / "events")
    worker(tmp_path / "broken", extra="[")
    assert load(tmp_path / "api").warnings == ()


def test_broken_neighbour_may_hold_the_consumer_that_was_not_found(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra='[[queues.producers]]\nbinding = "Q"\nqueue = "jobs"')
    broken = worker(tmp_path / "broken", extra="[")
    assert load(tmp_path / "api").warnings[0].startswith(f"{broken} is passed over: ")


def test_broken_worker_that_is_needed_is_an_error(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("events"))
    path = worker(tmp_path / "events", extra="workers_dev = 1")
    error = refusal(tmp_path / "api")
    assert (error.file, error.line) == (path, 5)


def test_neighbours_are_not_read_unless_something_is_missing(tmp_path: Path) -> None:
    worker(tmp_path / "api")
    worker(tmp_path / "broken", extra="[")
    assert load(tmp_path / "api").warnings == ()


# Environments ------------------------------------------------------------------------------------------------


def test_environment_applies_to_every_worker_that_defines_it(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=f"[env.staging]\n{binds('events-staging', 'plain').replace('[[', '[[env.staging.')}")
    worker(tmp_path / "events", extra="[env.staging]\nvars = { A = 1 }\n[env.other]\n")
    worker(tmp_path / "plain", extra="[env.other]\n")
    project = load(tmp_path / "api", environment="staging")
    assert [(w.name, w.environment) for w in project.workers] == [
        ("api-staging", "staging"),
        ("events-staging", "staging"),
        ("plain", None),
    ]
    assert project.environment == "staging"
    explicit = load(tmp_path, "api", "events", "plain", environment="staging")
    assert names(explicit) == names(project)


def test_name_of_the_top_level_means_the_worker_in_the_environment(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=f"[env.staging]\n{binds('events').replace('[[', '[[env.staging.')}")
    worker(tmp_path / "events", extra="[env.staging]")
    project = load(tmp_path / "api", environment="staging")
    assert names(project) == ["api-staging", "events-staging"]
    assert dict(project.aliases) == {"events": "events-staging"}
    assert project.worker("events") is project.workers[1]
    assert load(tmp_path, "api", "events", environment="staging").aliases == project.aliases


def test_name_of_another_environment_loads_that_environment(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra='[[services]]\nbinding = "E"\nservice = "events"\nenvironment = "staging"\n')
    worker(tmp_path / "events", extra="[env.staging]")
    project = load(tmp_path / "api")
    assert [(w.name, w.environment) for w in project.workers] == [("api", None), ("events-staging", "staging")]


def test_process_environment_names_the_environment(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra="[env.staging]")
    environ = {"CLOUDFLARE_ENV": "staging"}
    assert names(load(tmp_path / "api", environ=environ)) == ["api-staging"]
    assert names(load(tmp_path / "api", environ=environ, environment="")) == ["api"]


def test_unknown_environment_of_the_primary_worker_is_an_error(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra="[env.staging]")
    message = refusal(tmp_path / "api", environment="prod").message
    assert message.startswith('No environment found in configuration with name "prod".')


# Files -------------------------------------------------------------------------------------------------------


def test_folder_without_configuration_is_told_which_there_are(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.message == f"No wrangler.toml, wrangler.jsonc, wrangler.json found in {tmp_path} or above."
    assert error.hint == "Create wrangler.toml, or name a file with -c."
    worker(tmp_path / "workers/api")
    worker(tmp_path / "events")
    assert refusal(tmp_path).hint == "Choose one: -c events/wrangler.toml or -c workers/api/wrangler.toml"


def test_named_configuration_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = worker(tmp_path / "api")
    error = refusal(tmp_path, "api/wrangler.tom")
    assert error.message == f"Could not read file: {tmp_path / 'api/wrangler.tom'}: it does not exist."
    assert error.hint == f"Did you mean {path}?"


def test_env_files_are_looked_for_beside_each_configuration(tmp_path: Path) -> None:
    worker(tmp_path / "api", extra=binds("events"))
    worker(tmp_path / "events")
    (tmp_path / "events/local.env").write_text("A=1")
    project = load(tmp_path / "api", env_files=[Path("local.env")])
    assert [one.values for one in project.workers] == [{}, {"A": "1"}]
    error = refusal(tmp_path / "api", env_files=[Path("other.env")])
    assert error.message == f"The env file {tmp_path / 'api/other.env'} does not exist."


# [tool.pyworkers] --------------------------------------------------------------------------------------------


def test_tool_settings_are_read(tmp_path: Path) -> None:
    worker(tmp_path / "workers/api")
    (tmp_path / "workers/api/pyproject.toml").write_text('[project]\nname = "api"\ndependencies = ["pyworkers"]\n')
    (tmp_path / "pyproject.toml").write_text(
        """
[tool.pyworkers]
workers = ["workers/*"]
state_dir = "state"

[tool.pyworkers.engines]
kv = "sqlite"

[tool.pyworkers.ai]
engine = "openai"
base_url = "http://127.0.0.1:8080/v1"
api_key_env = "LLM_KEY"
default_model = "models/tiny.gguf"
models = { "@cf/meta/llama-3.1-8b-instruct" = "models/llama.gguf" }
"""
    )
    project = load(tmp_path / "workers/api")
    assert project.tools == ToolConfig(
        workers=("workers/*",),
        state_dir="state",
        engines=Engines(kv="sqlite"),
        ai=AIConfig(
            engine="openai",
            base_url="http://127.0.0.1:8080/v1",
            api_key_env="LLM_KEY",
            default_model="models/tiny.gguf",
            models={"@cf/meta/llama-3.1-8b-instruct": "models/llama.gguf"},
        ),
    )
    assert (project.root, project.state_dir) == (tmp_path, tmp_path / "state")


@pytest.mark.parametrize(
    ("text", "key", "line", "message", "hint"),
    [
        (
            "[tool.pyworkers]\nworker = []",
            "tool.pyworkers.worker",
            2,
            'Unexpected field found in "tool.pyworkers": "worker"',
            'Did you mean "workers"?',
        ),
        (
            "[tool.pyworkers.engines]\nkvs = 'sqlite'",
            "tool.pyworkers.engines.kvs",
            2,
            'Unexpected field found in "tool.pyworkers.engines": "kvs"',
            'Did you mean "kv"?',
        ),
        (
            "[tool.pyworkers.ai]\nengine = 'gpt'",
            "tool.pyworkers.ai.engine",
            2,
            'Expected "tool.pyworkers.ai.engine" field to be one of ["xllamacpp","llama_cpp","openai"] but got "gpt".',
            "Use one of: xllamacpp, llama_cpp, openai.",
        ),
        (
            "[tool]\npyworkers = 1",
            "tool.pyworkers",
            2,
            'Expected "tool.pyworkers" to be of type object but got 1.',
            "Give an object.",
        ),
    ],
)
def test_wrong_tool_setting_is_refused(text: str, key: str, line: int, message: str, hint: str, tmp_path: Path) -> None:
    worker(tmp_path)
    (tmp_path / "pyproject.toml").write_text(text)
    error = refusal(tmp_path)
    assert (error.file, error.key, error.line) == (tmp_path / "pyproject.toml", key, line)
    assert (error.message, error.hint) == (message, hint)


def test_tool_settings_above_the_repository_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pyworkers]\nstate_dir = 'x'\n")
    worker(tmp_path / "repository/api")
    (tmp_path / "repository/.git").mkdir()
    assert load(tmp_path / "repository/api").tools_path is None
