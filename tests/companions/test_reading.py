"""One question reads each file once, however many findings it is about."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.ten_callers import CALLERS, Counted, ten_callers
from tests.companions.workspace import Workspace

from buildhush.cli.main import main
from buildhush.companions import reading
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import caller_edits
from buildhush.rules.api import PassedSecret

BASE = "services:\n  base:\n    build:\n      context: .\n      args:\n        A_TOKEN: $A_TOKEN\n"
COMPOSE_FILES = [name for name in ten_callers(1) if name.startswith("compose")]
OVERRIDE = "services:\n  base:\n    build:\n      args:\n        B_TOKEN: $B_TOKEN\n        C_TOKEN: $C_TOKEN\n"
ABOVE = "services:\n  app:\n    extends: {file: base.yaml, service: base}\n"


def test_there_are_ten_callers_that_pass_everything(tmp_path: Path) -> None:
    made = Workspace(tmp_path, ten_callers(2))
    links = made.index.callers_of(str(tmp_path / "Dockerfile"))
    assert len(links) == CALLERS
    assert all(len([*each.caller.build_args, *each.caller.inherited_args]) == 2 for each in links)


@pytest.mark.parametrize("arguments", [["check", "--format", "json"], ["check"], ["fix", "--callers", "--unsafe"]])
def test_a_command_reads_files_as_often_for_three_times_the_findings(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    reads, trees = [], []
    for leaks in (4, 12):
        folder = tmp_path / str(leaks)
        Workspace(folder, ten_callers(leaks))
        monkeypatch.chdir(folder)
        counted.reset()
        assert main([*arguments, "."]) in (0, 1)
        reads.append(dict(counted.reads))
        # What a file becomes after each step of a repair is parsed once: the secret, its definition, the argument.
        assert CALLERS <= counted.parsed <= 2.5 * leaks * CALLERS
        trees.append(max(counted.trees.values()))
    assert reads[0] == reads[1]
    assert trees[0] == trees[1] <= 3 * len(COMPOSE_FILES)


def test_callers_of_one_dockerfile_are_repaired_once_for_all_who_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    made = Workspace(tmp_path, ten_callers(3))
    dockerfile = str(tmp_path / "Dockerfile")
    passes = (PassedSecret("service_1_token", environment="SERVICE_1_TOKEN", replaces_argument="SERVICE_1_TOKEN"),)
    own = Reading(made.index)
    first = caller_edits(own, dockerfile, passes)
    assert len(first) == CALLERS
    counted.reset()
    assert caller_edits(own, dockerfile, passes) is first
    assert counted.parsed == 0
    assert not counted.reads
    own.forget(str(tmp_path / "build.sh"))
    assert caller_edits(own, dockerfile, passes) == first
    assert counted.reads["build.sh"] <= 1


def test_a_file_is_read_again_when_one_that_it_is_read_with_says_something_else(tmp_path: Path) -> None:
    made = Workspace(tmp_path, {"base.yaml": BASE, "compose.yaml": ABOVE, "Dockerfile": "FROM alpine\n"})
    own, path = Reading(made.index), str(tmp_path / "compose.yaml")

    def inherited(**instead: str) -> list[str]:
        file = own.file(path, ABOVE, {str(tmp_path / "base.yaml"): text for text in instead.values()})
        assert file is not None
        return [each.name for caller in file.callers for each in caller.inherited_args]

    assert inherited() == ["A_TOKEN"]
    assert inherited(base=BASE.replace("A_TOKEN", "B_TOKEN")) == ["B_TOKEN"]
    assert inherited() == ["A_TOKEN"]
    made.write("base.yaml", BASE.replace("A_TOKEN", "C_TOKEN"))
    assert inherited() == ["A_TOKEN"], "one look sees one state"
    own.forget(str(tmp_path / "base.yaml"))
    assert inherited() == ["C_TOKEN"]


def test_a_base_is_parsed_once_for_all_texts_of_what_lies_upon_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Workspace(tmp_path, {"compose.yaml": BASE, "compose.override.yaml": OVERRIDE, "Dockerfile": "FROM alpine\n"})
    counted = Counted(monkeypatch)
    names = ("A_TOKEN", "B_TOKEN", "C_TOKEN")
    passes = tuple(PassedSecret(name.lower(), environment=name, replaces_argument=name) for name in names)
    edits = caller_edits(Reading(made.index), str(tmp_path / "Dockerfile"), passes)
    assert len(edits) == 2
    assert counted.parsed > 10
    assert set(counted.trees.values()) == {1}, "each text once, however often another is read beside it"
    assert counted.trees[BASE] == counted.trees[OVERRIDE] == 1


def test_a_base_is_parsed_once_for_all_files_that_lie_upon_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"compose.{name}.yaml": OVERRIDE.replace("B_TOKEN", f"{name}_TOKEN") for name in "pqrs"}
    made = Workspace(tmp_path, {"compose.yaml": BASE, **files, "Dockerfile": "FROM alpine\n"})
    counted = Counted(monkeypatch)
    changed = BASE.replace("A_TOKEN", "Z_TOKEN")
    counted.reset()
    made.write("compose.yaml", changed)
    assert counted.trees[changed] == 1
    assert len(counted.trees) == 5


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 3 * len(BASE))
    counted = Counted(monkeypatch)
    own, path = Reading(Workspace(tmp_path, {"compose.yaml": BASE}).index), str(tmp_path / "compose.yaml")
    texts = [BASE.replace("A_TOKEN", f"{letter}_TOKEN") for letter in "ABCDE"]
    for text in (*texts, *texts[2:]):
        own.file(path, text)
    assert counted.parsed == len(texts)
    own.file(path, texts[0])
    assert counted.parsed == len(texts) + 1
    own.file(path, BASE * 9)
    own.file(path, BASE * 9)
    assert counted.parsed == len(texts) + 2
