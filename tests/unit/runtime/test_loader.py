"""Two workers with the same module names do not meet."""

import dataclasses
import json
import pickle
import sys
import typing

import pytest

from pyworkers.runtime.loader import ModuleNamespace, plain_name


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
