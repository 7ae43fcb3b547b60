"""Two workers with the same module names do not meet."""

import contextvars
import dataclasses
import json
import logging
import pickle
import subprocess
import sys
import typing

import pytest

from pyworkers.runtime.loader import RUNNING, ModuleNamespace, plain_name


@pytest.fixture
def namespace(tmp_path):
    made = []

    def make(name, files, **extra_roots):
        root = tmp_path / name
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        space = ModuleNamespace(name, [root, *extra_roots.values()])
        made.append(space)
        return space

    yield make
    for space in made:
        space.dispose()
    assert not [name for name in sys.modules if name.startswith("_w_")]


def test_same_module_names_in_two_workers(namespace):
    one = namespace("one", {"entry.py": "import lib\nfrom lib import WHO", "lib.py": "WHO = 'one'"})
    two = namespace("two", {"entry.py": "import lib\nfrom lib import WHO", "lib.py": "WHO = 'two'"})
    assert (one.load("entry").WHO, two.load("entry").lib.WHO) == ("one", "two")


def test_packages_relative_circular_and_dynamic_imports(namespace):
    space = namespace(
        "w",
        {
            "entry.py": "import pkg.sub.deep\nimport importlib\nVALUE = pkg.sub.deep.VALUE\n"
            "DYNAMIC = importlib.import_module('pkg.other').NAME\n"
            "def lazy():\n    from pkg import other\n    return other.NAME",
            "pkg/__init__.py": "from . import other",
            "pkg/other.py": "NAME = 'other'\nfrom pkg import sub",
            "pkg/sub/__init__.py": "",
            "pkg/sub/deep.py": "from ..other import NAME\nfrom pkg.sub import *\nVALUE = NAME + '!'",
        },
    )
    entry = space.load("entry")
    assert (entry.VALUE, entry.DYNAMIC, entry.lazy()) == ("other!", "other", "other")


def test_the_standard_library_is_shared(namespace):
    space = namespace("w", {"entry.py": "import json, os.path\nfrom collections import abc"})
    assert space.load("entry").json is json


def test_a_local_module_wins_over_the_standard_librarys(namespace):
    space = namespace("w", {"entry.py": "import queue\nNAME = queue.NAME", "queue.py": "NAME = 'mine'"})
    assert space.load("entry").NAME == "mine"


def test_a_folder_without_init_does_not_hide_an_installed_package(namespace):
    space = namespace("w", {"entry.py": "import json", "json/data.txt": "", "assets/x.py": "Y = 1"})
    assert space.load("entry").json is json
    assert space.import_module("assets.x").Y == 1


def test_a_folder_without_init_is_found_before_another_such_folder(namespace, tmp_path, monkeypatch):
    (tmp_path / "path/parts").mkdir(parents=True)
    (tmp_path / "path/parts/x.py").write_text("Y = 2")
    monkeypatch.syspath_prepend(tmp_path / "path")
    space = namespace("w", {"entry.py": "import parts.x", "parts/x.py": "Y = 1"})
    assert space.load("entry").parts.x.Y == 1


def test_a_missing_submodule_is_called_as_its_author_does(namespace):
    space = namespace("w", {"entry.py": "import lib.nosuch", "lib/__init__.py": ""})
    with pytest.raises(ModuleNotFoundError) as caught:
        space.load("entry")
    assert (str(caught.value), caught.value.name) == ("No module named 'lib.nosuch'", "lib.nosuch")


def test_classes_work_with_what_looks_modules_up(namespace):
    space = namespace(
        "w",
        {
            "entry.py": "from __future__ import annotations\nimport dataclasses\n"
            "@dataclasses.dataclass\nclass Point:\n    x: int\n    other: Point | None = None\n"
        },
    )
    point = space.load("entry").Point
    assert typing.get_type_hints(point) == {"x": int, "other": point | None}
    assert pickle.loads(pickle.dumps(point(1))) == point(1)
    assert dataclasses.asdict(point(2)) == {"x": 2, "other": None}


def test_a_missing_module_is_the_ordinary_error(namespace):
    space = namespace("w", {"entry.py": "import nosuchmodule"})
    with pytest.raises(ModuleNotFoundError) as caught:
        space.load("entry")
    assert str(caught.value) == "No module named 'nosuchmodule'"


def test_files_lists_what_was_loaded(namespace, tmp_path):
    space = namespace("w", {"entry.py": "import lib", "lib.py": "", "unused.py": ""})
    space.load("entry")
    assert {file.name for file in space.files()} == {"entry.py", "lib.py"}


def test_plain_name_drops_the_prefix(namespace):
    space = namespace("w", {"entry.py": ""})
    assert plain_name(space.load("entry").__name__) == "entry"
    assert plain_name("json") == "json"


def test_a_logger_called_after_its_module_has_the_modules_plain_name(namespace, caplog):
    space = namespace("w", {"shop.py": "import logging\nlog = logging.getLogger(__name__)"})
    space.load("shop").log.warning("sold %d", 3)
    logging.getLogger("other").warning("as it is")
    assert caplog.record_tuples == [("shop", logging.WARNING, "sold 3"), ("other", logging.WARNING, "as it is")]


def test_an_installed_package_is_told_the_files_of_the_running_worker(namespace, tmp_path, monkeypatch):
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "framework_of_test.py").write_text(
        "from importlib import import_module\ndef load(name):\n    return import_module(name)"
    )
    (tmp_path / "installed" / "taken_of_test.py").write_text("WHOSE = 'installed'")
    space = namespace(
        "w", {"entry.py": "", "project/settings.py": "DEBUG = True", "taken_of_test.py": "WHOSE = 'worker'"}
    )
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    framework = space.import_module("framework_of_test")
    with pytest.raises(ModuleNotFoundError, match="No module named 'project'"):
        framework.load("project.settings")
    context = contextvars.copy_context()
    context.run(RUNNING.set, space)
    assert context.run(framework.load, "project.settings").DEBUG is True
    assert context.run(framework.load, "taken_of_test").WHOSE == "installed"
    assert context.run(framework.load, "json") is json
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'project\.urls'$"):
        context.run(framework.load, "project.urls")
    for name in ("framework_of_test", "taken_of_test"):
        del sys.modules[name]


def test_a_relative_import_by_name_is_the_packages_own(namespace, tmp_path, monkeypatch):
    package = tmp_path / "installed" / "lazy_of_test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from importlib import import_module\ndef load():\n    return import_module('.main', package=__package__)"
    )
    (package / "main.py").write_text("WHOSE = 'installed'")
    space = namespace("w", {"entry.py": "", "main.py": "WHOSE = 'worker'"})
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    lazy = space.import_module("lazy_of_test")
    context = contextvars.copy_context()
    context.run(RUNNING.set, space)
    assert context.run(lazy.load).WHOSE == "installed"
    for name in ("lazy_of_test", "lazy_of_test.main"):
        del sys.modules[name]


DJANGO = """
import contextvars, sys
from pathlib import Path
from pyworkers.runtime.loader import RUNNING, ModuleNamespace

def run():
    entry = space.load("entry")
    from django.urls import resolve
    print(entry.application.__class__.__name__, resolve("/tasks").func.__name__)
    print(space.import_module("todo.models").Task._meta.app_label)

space = ModuleNamespace("w", [Path(sys.argv[1])])
context = contextvars.copy_context()
context.run(RUNNING.set, space)
context.run(run)
"""


def test_a_django_project_finds_its_settings_applications_and_models(tmp_path):
    files = {
        "entry.py": "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'project.settings'\n"
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()",
        "project/__init__.py": "",
        "project/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'project.urls'\nINSTALLED_APPS = ['todo']",
        "project/urls.py": "from django.urls import include, path\nurlpatterns = [path('', include('todo.urls'))]",
        "todo/__init__.py": "",
        "todo/models.py": "from django.db import models\nclass Task(models.Model):\n    title = models.TextField()",
        "todo/urls.py": "from django.urls import path\ndef tasks(request): ...\nurlpatterns = [path('tasks', tasks)]",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    # A process of its own: Django is configured once in a process.
    done = subprocess.run(
        [sys.executable, "-c", DJANGO, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr) == ("WSGIHandler tasks\ntodo\n", "")
