"""What an edit and a start cost the server, counted instead of timed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bench.documents import blocks
from tests.companions.ten_callers import CALLERS, Counted, ten_callers
from tests.companions.workspace import Workspace
from tests.lsp.wire import Wire, served

from buildhush import config
from buildhush.lsp import diagnostics, server
from buildhush.lsp.convert import Positions

LEAKS = "FROM debian:12\n" + "".join(f"ARG TOKEN_{n}\nRUN echo $TOKEN_{n} > /srv/f{n}\n" for n in range(40))


@pytest.fixture
def wire() -> Iterator[Wire]:
    with served() as wire:
        yield wire


def test_what_is_said_already_is_not_written_anew(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.open(LEAKS)
    wire.rest()
    before = wire.published()[-1]["diagnostics"]
    assert len(before) >= 40
    written = []
    words = diagnostics._words
    monkeypatch.setattr(diagnostics, "_words", lambda *rest: written.append(rest) or words(*rest))
    wire.type(2, 0, "# a line more\n")
    wire.rest()
    after = wire.published()[-1]["diagnostics"]
    assert written == []
    assert [each["range"]["start"]["line"] for each in after] == [each["range"]["start"]["line"] + 1 for each in before]
    assert {each["data"]["version"] for each in after} == {2}
    wire.type(3, 80, "RUN echo $TOKEN_3 > /srv/last\n")
    wire.rest()
    assert 1 <= len(written) <= 3


def test_ranges_are_written_anew_only_where_an_edit_moves_them(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.open(LEAKS)
    wire.rest()
    wire.type(2, 40, "ENV A=1 B=")  # Line 40 is a RUN, which becomes another instruction and leaks no more.
    wire.rest()
    before = wire.published()[-1]["diagnostics"]
    written = []
    numbers = Positions.numbers_from_span
    monkeypatch.setattr(Positions, "numbers_from_span", lambda *rest: written.append(rest) or numbers(*rest))
    wire.type(3, 40, " ")
    wire.rest()
    assert wire.published()[-1]["diagnostics"] != before, "the version is another one"
    assert len(before) >= 39
    assert 0 < len(written) <= 10
    written.clear()
    wire.type(4, 40, "#\n")
    wire.rest()
    # What is behind a line more stands elsewhere; what is in front of it does not.
    moved = len(written)
    assert 39 <= moved < sum(1 + len(each.get("relatedInformation", ())) for each in before)


def test_a_burst_is_answered_once(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    # However slow the machine is, it is one burst.
    monkeypatch.setattr(server, "STALE_AFTER", float("inf"))
    wire.open(LEAKS)
    wire.rest()
    before = len(wire.published())
    for version in range(2, 42):
        wire.type(version, 0, "#\n")
    wire.rest()
    assert [each["version"] for each in wire.published()[before:]] == [41]


def test_a_pause_in_the_typing_is_waited_for_and_not_asked_for(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.open(LEAKS)
    wire.rest()
    clock = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    wire.type(2, 0, "#\n")
    pauses = []
    while (pause := wire.server.protocol.idle()) is not None:
        pauses.append(pause)
        clock += pause + 0.001
    assert len(pauses) == 2, "behind the diagnostics; then nothing until the pause, in which the files are read"
    assert sum(pauses) >= 0.25


def test_an_edit_leaves_nothing_for_the_garbage_collector(wire: Wire) -> None:
    """Collecting takes time on a keystroke, the more the more files are open."""
    wire.open(LEAKS)
    wire.rest()
    wire.type(2, 2, "RUN true\n")
    wire.rest()
    gc.collect()
    gc.disable()
    for version in range(3, 13):
        wire.type(version, 2, "RUN echo $TOKEN_0 | tee /srv/x && if true; then cat /srv/x; fi\n")
        wire.rest()
    assert gc.collect() <= 10


def test_the_garbage_collector_looks_in_a_pause_and_neither_on_a_keystroke_nor_while_a_file_is_opened(
    wire: Wire,
) -> None:
    gc.collect()
    looks: list[int] = []

    def look(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            looks.append(about["generation"])

    gc.callbacks.append(look)
    try:
        for name in ("one", "two", "three"):
            wire.open(blocks(2_000, f"/srv/{name}"), f"file:///{name}/Dockerfile")
            wire.server.protocol.idle()
        for version in range(2, 52):
            wire.type(version, 8, "#\n", "file:///one/Dockerfile")
            wire.server.protocol.idle()
        assert len(wire.published()) == 53
        assert looks == []
        wire.rest()
        assert looks == [1]
        wire.type(52, 8, "#\n", "file:///one/Dockerfile")
        wire.rest()
        assert looks == [1], "there is hardly anything new"
    finally:
        gc.callbacks.remove(look)


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml"])
@pytest.mark.parametrize("resolves", [False, True])
@pytest.mark.usefixtures("wire")
def test_all_quick_fixes_of_a_file_read_its_callers_once(
    name: str, resolves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks for the edits at once gets them with each caller read once; one that does not, later."""
    counted = Counted(monkeypatch)
    reads = []
    literal = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}, "dataSupport": True}
    asks = {"codeAction": {**literal, "resolveSupport": {"properties": ["edit"] if resolves else []}}}
    for leaks in (4, 12):
        folder = tmp_path / str(leaks)
        files = ten_callers(leaks)
        Workspace(folder, files)
        folders = [{"uri": folder.as_uri(), "name": "one"}]
        wire = Wire(capabilities={"textDocument": asks}, workspaceFolders=folders)
        uri = (folder / name).as_uri()
        wire.open(files[name], uri, "dockerfile" if name == "Dockerfile" else "yaml")
        wire.rest()
        counted.reset()
        end = {"line": files[name].count("\n"), "character": 0}
        whole = {"start": {"line": 0, "character": 0}, "end": end}
        parameters = {"textDocument": {"uri": uri}, "range": whole, "context": {"diagnostics": []}}
        wire.receive("textDocument/codeAction", parameters, identifier=7)
        wire.rest()
        actions = next(each["result"] for each in wire.sent if each.get("id") == 7)
        assert len([each for each in actions if "Mount" in each["title"]]) >= leaks
        assert ("edit" in actions[0]) != (resolves and name == "Dockerfile")
        assert counted.parsed <= 4.2 * leaks * CALLERS
        reads.append(dict(counted.reads))
        if resolves and name == "Dockerfile":
            assert counted.reads["compose.yaml"] == 0
            wire.receive("codeAction/resolve", actions[0], identifier=8)
            wire.rest()
            edit = next(each["result"] for each in wire.sent if each.get("id") == 8)["edit"]
            assert len(edit["changes"]) == CALLERS + 1
    assert reads[0] == reads[1]


def test_no_keystroke_reads_settings_or_lists_the_build_context(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files around are looked at when the diagnostics are out, and what has changed there is said then."""
    dockerfile = tmp_path / "Dockerfile"
    wire.open("FROM alpine\nCOPY . .\nRUN true\n", uri=dockerfile.as_uri())
    wire.rest()
    assert wire.published()[-1]["diagnostics"] == []
    (tmp_path / "id_rsa").touch()
    (tmp_path / ".buildhush.toml").write_text("[severity]\ncontext-copies-secret = 'hint'\n")
    looked: list[str] = []
    monkeypatch.setattr(os, "scandir", _noted(looked, os.scandir))
    monkeypatch.setattr(os, "stat", _noted(looked, os.stat))  # Not `lstat`: a COPY asks whether its source is there.
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 60)
    before = len(wire.published())
    wire.type(2, 2, "#\n", uri=dockerfile.as_uri())
    wire.server.protocol.idle()
    assert [each["diagnostics"] for each in wire.published()[before:]] == [[]]
    assert looked == []
    wire.rest()
    assert looked
    (found,) = wire.published()[-1]["diagnostics"]
    assert (found["code"], found["severity"]) == ("context-copies-secret", 4)


def test_a_broken_configuration_is_parsed_once_for_all_folders_until_it_changes(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    parse_toml = config._parse_toml
    monkeypatch.setattr(config, "_parse_toml", lambda text, file: parsed.append(text) or parse_toml(text, file))
    file = tmp_path / ".buildhush.toml"
    file.write_text("select = 1\n")
    for name in "abcdef":
        (tmp_path / name).mkdir()
        wire.open(LEAKS, (tmp_path / name / "Dockerfile").as_uri())
        wire.rest()
    messages = [each["params"] for each in wire.sent if each.get("method") == "window/showMessage"]
    assert parsed == ["select = 1\n"]
    assert ["select" in each["message"] for each in messages] == [True]
    file.write_text('select = ["secret-in-env"]\n')
    wire.receive("workspace/didChangeWatchedFiles", {"changes": [{"uri": file.as_uri(), "type": 2}]})
    wire.rest()
    assert parsed == ["select = 1\n", 'select = ["secret-in-env"]\n']
    assert {each["uri"]: each["diagnostics"] for each in wire.published()} == {
        path.as_uri(): [] for path in (file, *(tmp_path / name / "Dockerfile" for name in "abcdef"))
    }


def test_a_file_that_holds_no_secret_makes_only_what_copies_new(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found in a folder holds until the folder changes; then the next edit looks at it again."""
    uri = (tmp_path / "Dockerfile").as_uri()

    def steps(version: int) -> int:
        wire.type(version, 2, "#\n", uri=uri)
        wire.rest()
        memo = wire.server.documents.get(uri)._analysis.memo  # type: ignore[union-attr]
        assert memo is not None
        return memo.counts.steps_made

    wire.open("FROM alpine\nCOPY ssh /root/.ssh\nRUN true\n", uri=uri)
    wire.rest()
    assert [each["code"] for each in wire.published()[-1]["diagnostics"]] == ["secret-file-copied"]
    assert (steps(2), steps(3)) == (0, 0)
    (tmp_path / "ssh").touch()
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 60)
    wire.rest()
    assert steps(4) == 1
    assert wire.published()[-1]["diagnostics"] == []


def _noted(looked: list[str], call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(path: Any, *rest: Any, **options: Any) -> Any:
        looked.append(str(path))
        return call(path, *rest, **options)

    return noted


BEFORE_THE_REPLY = """
import sys
from buildhush.lsp.server import BuildhushServer
from buildhush.lsp import transport
server = BuildhushServer()
server.protocol.output = transport.Output(len)
params = {"processId": None, "capabilities": {}}
server.protocol.received({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
print(*sys.modules)
"""


def test_the_reply_to_initialize_waits_for_no_rule_and_no_parser() -> None:
    done = subprocess.run([sys.executable, "-c", BEFORE_THE_REPLY], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("buildhush")} <= {
        "buildhush",
        *(
            f"buildhush.lsp{name}"
            for name in ("", ".server", ".frames", ".transport", ".capabilities", ".client", ".protocol", ".log")
        ),
    }
    assert not {"tree_sitter", "bashlex", "detect_secrets", "rich", "pathspec", "yaml"} & loaded
