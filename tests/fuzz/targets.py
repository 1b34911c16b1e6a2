"""What is fuzzed: each target takes bytes, reads them as its reader would, and raises when a promise is broken.

The same checks run on random changes of the seeds in every test run, and under a coverage-guided fuzzer in long ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.dockerfile.describing import check_tree
from tests.fuzz.choices import byte_choices
from tests.fuzz.incremental import check_session
from tests.fuzz.material import COMMANDS, MOUNTS, TESTS, seed_texts
from tests.fuzz.workspaces import WORDS as WORKSPACE_WORDS
from tests.fuzz.workspaces import check_workspace
from tests.fuzz.workspaces import seeds as workspace_seeds
from tests.shell.places import check_places
from tests.support import FixedContext

from buildhush.companions.callers import CallerFile
from buildhush.companions.dockerignore import append_entries, entry_for, matches_source, read_rules
from buildhush.companions.hcl_reader import Block, read_hcl
from buildhush.companions.index import CallerIndex
from buildhush.companions.readers import read_caller_file
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import file_edits
from buildhush.companions.values import Mapping, Scalar, Sequence, Value
from buildhush.companions.yaml_reader import read_yaml
from buildhush.config import (
    Configuration,
    ConfigurationError,
    ConfigurationProblem,
    parse_configuration,
    parse_project_file,
)
from buildhush.dockerfile.incremental import reparse
from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.structure import same_structure
from buildhush.engine import Analysis, Report, analyze, fixes, suppress_fix
from buildhush.lsp.frames import NOTHING, EndOfStream, Frames
from buildhush.rules.api import Fix, PassedSecret
from buildhush.shell import guard
from buildhush.shell.reader import read
from buildhush.shell.walk import simple_commands
from buildhush.text.line_index import ENCODINGS, LineIndex
from buildhush.text.spans import Edit, Span, apply, insertion


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is fuzzed. `seeds`: what to start from, made of Dockerfiles that are given to it.

    `words`: pieces worth inserting. `longest`: bytes of an input.
    """

    check: Callable[[bytes], object]
    seeds: Callable[[Iterable[str]], Iterable[str]]
    words: tuple[str, ...] = ()
    longest: int = 1_500


def text_of(data: bytes) -> str:
    """Bytes as a file is decoded: what is no UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


# The Dockerfile tree.


def check_parse(data: bytes) -> None:
    """The tree is lossless, its places are right, and read again after an edit it is the tree of a fresh start."""
    text = text_of(data)
    tree = parse(text)
    check_tree(tree)
    size = len(text)
    third, half = size // 3, size // 2
    for edit in (Edit(Span(third, half), ""), insertion(half, "\\\n"), insertion(third, "\nRUN <<E\n")):
        assert same_structure(reparse(tree, edit), parse(apply(text, [edit]))), edit


def check_mounts(data: bytes) -> None:
    """The places of mount options are right; a value without quotes and escapes stands at its place as it is."""
    text = text_of(data)
    tree = parse(f"FROM a\nRUN --mount={text} true\n")
    check_tree(tree)
    plain = not re.search("[\"'\\\\]", text)
    for node in tree.instructions:
        for mount in node.mounts if isinstance(node, Run) else ():
            for option in mount.options:
                if plain and option.value_span is not None:
                    assert node.text[option.value_span.start : option.value_span.end] == option.value
            for problem in mount.problems:
                assert 0 <= problem.span.start <= problem.span.end <= len(node.text)


# The shell.


def check_shell(data: bytes) -> None:
    """Any text has a reading, its places lie in it, and it can be walked."""
    text = text_of(data)
    script = read(text)
    check_places(text, script)
    sum(1 for _ in simple_commands(script))


def check_guard(data: bytes) -> None:
    """The second opinion is an opinion, never an exception."""
    assert guard.accepts(text_of(data)) in (True, False, None)


# Files beside the Dockerfile.

_SECRET = PassedSecret("npm_token", replaces_argument="NPM_TOKEN")


def _nothing_beside(path: str) -> None:
    return None


def check_yaml(data: bytes) -> None:
    """Values lie in the text, scalars map back to it; what builds are read from it can be repaired, once."""
    text = text_of(data)
    parsed = read_yaml(text)
    for document in parsed.documents:
        _check_value(document, len(text))
    for name in ("compose.yaml", "docker-bake.json", ".github/workflows/a.yml", ".gitlab-ci.yml"):
        check_caller(name, text)


def check_hcl(data: bytes) -> None:
    """As `check_yaml`, for bake files in HCL."""
    text = text_of(data)
    pending: list[Block] = list(read_hcl(text).blocks)
    while pending:
        block = pending.pop()
        assert 0 <= block.span.start <= block.body_end <= block.span.end <= len(text)
        _check_value(block.body, len(text))
        pending += block.blocks
    check_caller("docker-bake.hcl", text)


def check_scripts(data: bytes) -> None:
    """As `check_yaml`, for shell scripts and Makefiles."""
    text = text_of(data)
    check_caller("build.sh", text)
    check_caller("Makefile", text)


def _check_value(value: Value, size: int) -> None:
    pending: list[Value] = [value]
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        assert 0 <= each.span.start <= each.span.end <= size, each
        if isinstance(each, Scalar):
            for offset in (0, len(each.text) // 2, max(len(each.text) - 1, 0)):
                assert 0 <= each.content.source_offset(offset) <= size, each
        elif isinstance(each, Sequence):
            pending += each.items
        elif isinstance(each, Mapping):
            for pair in each.pairs:
                pending += [pair.key, pair.value]


def _reading() -> Reading:
    return Reading(CallerIndex(("/w",), _nothing_beside))


def check_caller(name: str, text: str) -> None:
    """The builds that a file starts: their places lie in it, and a repair is readable, does its work and is done."""
    path = f"/w/{name}"
    file = read_caller_file(path, text, _nothing_beside, "/w")
    assert file is not None
    for caller in file.callers:
        for span in (caller.span, *(each.span for each in (*caller.build_args, *caller.secrets))):
            assert 0 <= span.start <= span.end <= len(text)
    for caller in file.callers[:3]:
        repaired = file_edits(_reading(), file, (caller,), (_SECRET,))
        if repaired is None:
            continue
        after = read_caller_file(path, apply(text, repaired.edits), _nothing_beside, "/w")
        assert after is not None
        assert not after.problems, "the repaired file can't be read"
        again = next((each for each in after.callers if each.key == caller.key), None)
        assert again is not None, "the build is gone after the repair"
        assert _others_kept(file, after), "the repair changed what is passed besides"
        assert file_edits(_reading(), after, (again,), (_SECRET,)) is None, "a repair is not done after one"


def _others_kept(before: CallerFile, after: CallerFile) -> bool:
    def passed(file: CallerFile) -> set[tuple[object, ...]]:
        names = {(each.key, arg.name) for each in file.callers for arg in each.build_args if arg.name != "NPM_TOKEN"}
        ids = {(each.key, secret.id, "") for each in file.callers for secret in each.secrets if secret.id != _SECRET.id}
        return names | ids

    return passed(before) == passed(after)


def check_dockerignore(data: bytes) -> None:
    """Any rules answer for any path, and a path is ignored once its entry is appended."""
    path, _, text = text_of(data).partition("\n")
    rules = read_rules(text)
    rules.ignores(path)
    matches_source(path, "src/app/secret.txt")
    matches_source("src/*", path)
    named = "/".join(part for part in path.split("/") if part not in ("", ".", ".."))
    # A byte order mark at the start of the file is none of the path's; white space around a pattern goes.
    if named and named == named.strip().lstrip("\ufeff") and not re.search(r"[\r\n\\]", named) and ".." not in path:
        after = apply(text, append_entries(text, (named,)))
        assert read_rules(after).ignores(named), entry_for(named)


# The configuration.

_DOCKERFILE = (
    "FROM a\nARG X_TOKEN\nRUN --mount=type=secret,id=t tool put --key $(cat /run/secrets/t) && echo $X_TOKEN\n"
)


def check_config(data: bytes) -> None:
    """A configuration is used, or refused with lines that exist."""
    text = text_of(data)
    lines = text.count("\n") + 2  # A header is put in front for the project file.
    for read_text in (parse_configuration, _project):
        refused: tuple[ConfigurationProblem, ...] = ()
        configuration = None
        try:
            configuration = read_text(text, Path("/w/.buildhush.toml"))
        except ConfigurationError as error:
            refused = error.problems
        assert all(1 <= problem.line <= lines for problem in refused)
        assert refused or configuration is not None
        if configuration is not None:
            _check_use(configuration)


def _project(text: str, file: Path) -> Configuration | None:
    return parse_project_file("[tool.buildhush]\n" + text, file)


def _check_use(configuration: Configuration) -> None:
    configuration.excludes(PurePath("/w/a/Dockerfile"))
    settings = configuration.settings_for(PurePath("/w/a/Dockerfile"))
    _check_healthy(analyze(_DOCKERFILE, settings=settings))


# The whole.


def check_analysis(data: bytes) -> None:
    """An analysis without internal errors, whose places lie in the text and whose fixes do what they say."""
    text = text_of(data)
    analysis = analyze(text, context=FixedContext((".env", "src/id_rsa")))
    _check_healthy(analysis)
    check_tree(analysis.tree)
    for report in analysis.reports[:3]:
        for fix in fixes(analysis, report)[:3]:
            if fix.edits:
                check_fix(analysis, fix)
    for report in analysis.reports[:1]:
        check_suppressing(analysis, report)


def _check_healthy(analysis: Analysis) -> None:
    assert not any(problem.code == "internal-error" for problem in analysis.problems), "an internal error"
    assert not analysis.failed_rules, f"rules failed: {analysis.failed_rules}"
    size = len(analysis.text)
    for span in (
        *(report.span for report in analysis.reports),
        *(step.span for report in analysis.reports for step in report.trail),
        *(problem.span for problem in analysis.problems),
    ):
        assert 0 <= span.start <= span.end <= size


def check_fix(analysis: Analysis, fix: Fix) -> None:
    """After a fix, read from scratch: fewer findings, none of another rule, no more problems, and readable scripts."""
    after = analyze(apply(analysis.text, fix.edits), context=analysis.context)
    _check_healthy(after)
    check_tree(after.tree)
    if not fix.lines:
        assert len(after.reports) < len(analysis.reports), f"nothing is gone after: {fix.title}"
    assert _syntax(after) <= _syntax(analysis), f"a new problem after: {fix.title}"
    if all(guard.accepts(script) for script in _scripts(analysis)):
        assert all(guard.accepts(script) is not False for script in _scripts(after)), f"no shell after: {fix.title}"


def check_suppressing(analysis: Analysis, report: Report) -> None:
    """The comment that silences a finding does."""
    after = analyze(apply(analysis.text, suppress_fix(analysis, report).edits), context=analysis.context)
    _check_healthy(after)
    assert len(after.reports) < len(analysis.reports), f"a comment does not silence {report.rule.id}"


def _syntax(analysis: Analysis) -> int:
    return sum(problem.code == "syntax" for problem in analysis.problems)


def _scripts(analysis: Analysis) -> Iterator[str]:
    for node in analysis.tree.instructions:
        if isinstance(node, Run) and node.script is not None and node.interpreter is None:
            yield node.script.text


def check_edits(data: bytes) -> None:
    """After edits that the bytes choose, everything is known that a fresh start would know."""
    check_session(byte_choices(data), 6)


# What the server receives.


def check_frames(data: bytes) -> None:
    """Any bytes are frames, malformed frames, and an end."""
    heard = [_heard(data, size) for size in (7, max(len(data), 1))]
    assert heard[0] == heard[1], "it matters in which pieces the bytes come"


def _heard(data: bytes, size: int) -> list[Any]:
    frames, heard = Frames(), []
    pieces = [*(data[start : start + size] for start in range(0, len(data), size)), b""]
    for piece in pieces:
        frames.feed(piece)
        while (message := frames.next()) is not NOTHING:
            if isinstance(message, EndOfStream):
                return heard
            heard.append(repr(message))
    raise AssertionError("the stream does not end")


def check_positions(data: bytes) -> None:
    """Line and column lead back to the offset, in all units, also after an edit."""
    text = text_of(data)
    half = len(text) // 2
    index = LineIndex(text)
    edit = Edit(Span(len(text) // 3, half), text[-3:])
    for each in (index, index.edited(edit)):
        fresh = LineIndex(each.text)
        assert each.line_count == fresh.line_count
        assert [each.line_start(line) for line in range(each.line_count)] == [
            fresh.line_start(line) for line in range(each.line_count)
        ]
        for encoding in ENCODINGS:
            for offset in range(0, len(each.text) + 1, max(len(each.text) // 50, 1)):
                line, column = each.position(offset, encoding)
                inside_line_end = each.text[offset - 1 : offset + 1] == "\r\n" and offset > 0
                assert each.offset(line, column, encoding) == offset - inside_line_end


# Seeds.


def _as_they_are(texts: Iterable[str]) -> Iterable[str]:
    return texts


def _scripts_of(texts: Iterable[str]) -> Iterator[str]:
    yield from COMMANDS
    for text in texts:
        for node in parse(text).instructions:
            if isinstance(node, Run) and node.script is not None:
                yield node.script.text


def _mounts_of(texts: Iterable[str]) -> Iterator[str]:
    yield from MOUNTS
    for text in texts:
        for node in parse(text).instructions:
            for mount in node.mounts if isinstance(node, Run) else ():
                yield mount.flag.value or ""


_REPAIR = re.compile(r"^````before (\S*)\n(.*?)^````$", re.MULTILINE | re.DOTALL)


def callers_of_cases(*endings: str) -> list[str]:
    """The files before a repair in the collection of repairs, whose names end so."""
    cases = (TESTS / "companions" / "cases" / "repairs.md").read_text(encoding="utf-8")
    return [match[2] for match in _REPAIR.finditer(cases) if match[1].endswith(endings)]


def _only(*endings: str) -> Callable[[Iterable[str]], Iterable[str]]:
    return lambda texts: callers_of_cases(*endings)


def _each(*seeds: str) -> Callable[[Iterable[str]], Iterable[str]]:
    return lambda texts: seeds


_IGNORES = (
    "src/id_rsa\n**/id_rsa\n!src\n",
    "a/b/c\n# comment\n*\n!a\n!**/c\n/b/\n[a-c]\\]*\n",
    ".env\n.git\nnode_modules\n**/*.log\n**/foo/**\nx?y\n",
    "#a\n\\#a\n\\!b\n ! c \n/!x\n[^/]\n",
)
_CONFIGS = (
    'select = ["secret-in-arg"]\nignore = ["hardcoded-secret"]\nsecret-names = ["*_KEYRING"]\npublic-names = ["X_*"]\n',
    'fail-on = "warning"\nbaseline = ".b.json"\nexclude = ["vendor/", "!a/**"]\nrequire-reason = true\n'
    '[severity]\nsecret-in-arg = "hint"\n',
    '[[overrides]]\nfiles = ["a/*"]\nignore = ["secret-in-env"]\n[overrides.severity]\nsecret-in-arg = "error"\n',
    '[commands.tool]\nprints = true\n\n[commands."b c"]\nstores = []\n',
)
_FRAMES = (
    'Content-Length: 17\r\n\r\n{"jsonrpc":"2.0"}Content-Length: 2\n\n[]',
    "Content-Type: x\r\nContent-Length: 4\r\n\r\nnullContent-Length: 99999999999\r\n\r\n{",
    "X\r\n\r\nContent-Length: -1\r\n\r\n",
)
_TEXTS = ("a\r\nb\rc\n\n\u2028é𝄞👩‍👩‍👧\x0c\x85e\u0301\r", "RUN a\n", "")
_YAML_WORDS = (
    *(
        "services:\n",
        "  build:\n",
        "args:",
        "secrets:",
        "- NPM_TOKEN",
        "NPM_TOKEN: ${NPM_TOKEN}",
        "<<: *a",
        "&a ",
        "*a",
    ),
    *(
        "build-args: |\n",
        "with:\n",
        "uses: docker/build-push-action@v6",
        "jobs:\n",
        "steps:\n",
        "- run: docker build .",
    ),
    *("script:\n", '"', "'", "|\n", ">-\n", "{", "}", "[", "]", "#", "? ", "--- \n", "...", "!tag ", '"target": {'),
)
_HCL_WORDS = (
    *(
        'target "a" {\n',
        "args = {\n",
        'NPM_TOKEN = ""',
        'inherits = ["b"]',
        'secret = ["id=a"]',
        "variable",
        "${",
        "<<E\n",
    ),
    *("}", "{", "[", "]", '"', "#", "//", "/*", "*/", "\n", "=", ","),
)
_SCRIPT_WORDS = (
    "docker build ",
    "--build-arg NPM_TOKEN",
    "=$X ",
    "--secret id=a",
    " \\\n",
    "\n\t",
    "docker buildx bake ",
    ".",
)
_CONFIG_WORDS = (
    *(
        "[commands.",
        "[severity]\n",
        "[[overrides]]\n",
        'files = ["',
        "select",
        "ignore",
        '"""',
        "'''",
        "true",
        "prints",
    ),
    *("secret-in-arg", "stores", "passes", "= ", "{", "}", "]", "\\u0000", "\n"),
)
_DOCKERFILE_WORDS = (
    *(
        "RUN ",
        "FROM a AS b\n",
        "ARG TOKEN\n",
        "ENV TOKEN=",
        "COPY --from=b ",
        "ONBUILD ",
        "CMD [",
        "<<E\n",
        "\nE\n",
        "\\\n",
    ),
    *(
        "--mount=type=secret,id=t ",
        "# escape=`\n",
        "# buildhush: ignore=",
        "SHELL [",
        "USER ",
        "ADD ",
        "HEALTHCHECK CMD ",
    ),
    *(
        "/run/secrets/t",
        " > /x",
        "$TOKEN",
        "${TOKEN:-",
        "$(",
        " && ",
        "|| true",
        "rm -f /x",
        "\r\n",
        "\u2028",
        "é",
        "😀",
    ),
)
_SHELL_WORDS = (
    *("$(", "`", "${a:-", "$((", "<<E\n", "\nE\n", "<(", "if a; then ", "fi", "case a in ", ";;", "esac", "for i in "),
    *(
        "do ",
        "done",
        "[[ ",
        " ]]",
        "&&",
        "||",
        "|",
        "'",
        '"',
        "\\\n",
        "f() {",
        "}",
        "export A=",
        "2>&1",
        "&>",
        "<<<",
        "é",
    ),
)

TARGETS: dict[str, Target] = {
    "tree": Target(check_parse, _as_they_are, _DOCKERFILE_WORDS),
    "mounts": Target(
        check_mounts, _mounts_of, ("type=", "secret", "id=", '"', ",", "required", "\\\n", "env=", "$X"), 300
    ),
    "shell": Target(check_shell, _scripts_of, _SHELL_WORDS, 1_000),
    "guard": Target(check_guard, _scripts_of, _SHELL_WORDS, 400),
    "yaml": Target(check_yaml, _only(".yaml", ".yml", ".json"), _YAML_WORDS, 1_000),
    "hcl": Target(check_hcl, _only(".hcl"), _HCL_WORDS, 800),
    "scripts": Target(check_scripts, _only(".sh", "Makefile"), _SCRIPT_WORDS, 600),
    "workspace": Target(
        lambda data: check_workspace(text_of(data)), lambda texts: workspace_seeds(), (*WORKSPACE_WORDS, *_YAML_WORDS)
    ),
    "dockerignore": Target(
        check_dockerignore, _each(*_IGNORES), ("**/", "*", "!", "[", "]", "\\", "-", "^", "/.."), 200
    ),
    "config": Target(check_config, _each(*_CONFIGS), _CONFIG_WORDS, 600),
    "analysis": Target(check_analysis, _as_they_are, _DOCKERFILE_WORDS),
    "edits": Target(check_edits, _each("", "edits", *COMMANDS[:8]), (), 400),
    "frames": Target(check_frames, _each(*_FRAMES), ("Content-Length: ", "\r\n\r\n", "\n\n", "{", "[", "\\u"), 300),
    "positions": Target(check_positions, _each(*_TEXTS), ("\r\n", "\r", "\u2028", "😀", "é", "\x0c"), 300),
}

READ_ONLY: dict[str, Callable[[bytes], object]] = {
    "dockerfile": lambda data: _check_healthy(analyze(text_of(data))),
    "shell": lambda data: read(text_of(data)),
}
"""Readers alone, for texts on which the checks themselves would recurse or take long."""


def seeds(target: Target, folder: Path | None = None) -> list[bytes]:
    """The inputs to start from: made of this repository's cases, and of the Dockerfiles in a folder."""
    texts = list(seed_texts())
    if folder is not None:
        texts += [path.read_bytes().decode("utf-8", "surrogateescape") for path in _files(folder)]
    found = dict.fromkeys(text.encode("utf-8", "surrogateescape") for text in target.seeds(texts))
    return [data for data in found if len(data) <= target.longest]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path
