"""A workspace in memory: a Dockerfile and the files that build it, read together, repaired and read again.

Its bytes are files one behind the other, each behind a separator and a letter that says which one it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.companions.repair_cases import read_cases

from buildhush.companions.findings import CompanionFinding, CompanionFix, findings_for, findings_in, fixes_of, whole_fix
from buildhush.companions.index import CallerIndex
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import FileEdits, caller_edits
from buildhush.engine import Analysis, analyze, fixes
from buildhush.rules.api import PassedSecret
from buildhush.text.spans import apply

ROOT = "/a-folder-that-is-not-there"
SEPARATOR = "\x1d"
DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
NAMES = (
    "Dockerfile",
    *("compose.yaml", "compose.override.yaml", "common.yml", "compose.prod.yaml"),
    *("docker-bake.hcl", "docker-bake.json", "docker-bake.override.hcl"),
    *(".github/workflows/a.yml", ".github/actions/b/action.yml", ".gitlab-ci.yml"),
    *("Makefile", "build.sh", "other/Dockerfile", ".env", ".dockerignore"),
)
WORDS = (
    *(f"{SEPARATOR}{chr(ord('a') + number)}" for number in range(len(NAMES))),
    *("extends: base\n", "extends: {file: common.yml, service: base}\n", "include: [common.yml]\n", "NPM_TOKEN", "./"),
    *("build: .\n", "dockerfile: other/Dockerfile\n", "secrets: [npm_token]\n", 'inherits = ["base"]\n', "!reset null"),
    *("docker compose build\n", "docker buildx bake -f docker-bake.json\n", "uses: ./.github/actions/b\n", "make b\n"),
    *("./build.sh\n", "--secret id=npm_token", "--mount=type=secret,id=npm_token", "# buildhush: ignore=", "<<: *a\n"),
)
_SECRET = PassedSecret("npm_token", replaces_argument="NPM_TOKEN")


def packed(files: Mapping[str, str]) -> str:
    """Files as one text; those that have no letter are left out."""
    return "".join(
        SEPARATOR + chr(ord("a") + NAMES.index(name)) + text for name, text in files.items() if name in NAMES
    )


def unpacked(text: str) -> dict[str, str]:
    """The files of a text by path. There is a Dockerfile always, that of the cases where the text has none."""
    found = {"Dockerfile": DOCKERFILE}
    for piece in text.split(SEPARATOR)[1:]:
        found[NAMES[(ord(piece[0]) - ord("a")) % len(NAMES)] if piece else NAMES[0]] = piece[1:]
    return {f"{ROOT}/{name}": content for name, content in found.items()}


def seeds() -> Iterator[str]:
    """The workspaces of the collection of repairs, before and after."""
    for case in read_cases():
        for files in (case.before, case.repaired):
            renamed = {_name(name): text for name, text in files.items()}
            yield packed({**renamed, **{name: DOCKERFILE for name in case.dockerfiles if name not in renamed}})


def _name(name: str) -> str:
    """The name of a seed's file among `NAMES`: the one that the same reader reads."""
    if name in NAMES:
        return name
    if ".github/workflows/" in name:
        return ".github/workflows/a.yml"
    if name.endswith(".sh"):
        return "build.sh"
    return name


class Workspace:
    """What is known of the files, read in the order in which they stand."""

    def __init__(self, files: Mapping[str, str], order: Iterable[str]) -> None:
        self.files = files
        self.index = CallerIndex((ROOT,), files.get)
        for path in order:
            self.index.update(path)
        self._analyses: dict[str, Analysis] = {}

    def analysis(self, path: str) -> Analysis | None:
        """The analysis of a Dockerfile."""
        text = self.files.get(path)
        if text is None:
            return None
        if path not in self._analyses:
            self._analyses[path] = analyze(text, path=path)
        return self._analyses[path]

    def findings(self) -> list[CompanionFinding]:
        """All findings that callers have to do with."""
        found: list[CompanionFinding] = []
        for path in sorted(self.files):
            found += findings_in(self.index, path, self.analysis)
            analysis = self.analysis(path) if path.endswith("Dockerfile") else None
            if analysis is not None:
                found += findings_for(self.index, path, analysis)
        return found

    def broken(self) -> Counter[str]:
        """How many problems each file has."""
        return Counter({file.path: len(file.problems) for file in self.index.files if file.problems})

    def after(self, edits: Iterable[FileEdits]) -> Workspace:
        """The workspace after a repair, read from scratch."""
        texts = dict(self.files)
        for each in edits:
            texts[each.path] = apply(texts.get(each.path, ""), each.edits)
        return Workspace(texts, texts)


def check_workspace(text: str) -> None:
    """Places lie in their files; the order of reading does not matter; a repair is whole, and done after one."""
    files = unpacked(text)
    workspace = Workspace(files, files)
    other_way = Workspace(files, reversed(list(files)))
    for path in files:
        assert other_way.index.file(path) == workspace.index.file(path), f"the order of reading matters to {path}"
    found = workspace.findings()
    assert _told(other_way.findings()) == _told(found), "the order of reading matters to what is found"
    for finding in found:
        _check_places(workspace, finding)
    for finding in found[:4]:
        for fix in fixes_of(Reading(workspace.index), finding, workspace.analysis)[:2]:
            _check_fix(workspace, fix, finding)
    _check_whole(workspace)


def _told(found: Iterable[CompanionFinding]) -> list[tuple[str, int, str, str]]:
    return [(each.file, each.span.start, each.rule, each.message) for each in found]


def _check_places(workspace: Workspace, finding: CompanionFinding) -> None:
    for file, span in ((finding.file, finding.span), *((each.file, each.span) for each in finding.related)):
        text = workspace.files.get(file)
        if text is None:
            # A Dockerfile inside a caller's file has a path of its own.
            assert file not in NAMES
            continue
        assert 0 <= span.start <= span.end <= len(text), f"a place outside of {file}"


def _check_fix(workspace: Workspace, fix: CompanionFix, finding: CompanionFinding) -> None:
    after = workspace.after(fix.files)
    _check_readable(workspace, after, fix.title)
    left = Counter((each.rule, each.message) for each in after.findings())
    before = Counter((each.rule, each.message) for each in workspace.findings())
    assert left[finding.rule, finding.message] < before[finding.rule, finding.message], f"still there: {fix.title}"


def _check_readable(before: Workspace, after: Workspace, title: str) -> None:
    assert not after.broken() - before.broken(), f"a file can't be read after: {title}"
    keys = {(caller.file, caller.name) for file in before.index.files for caller in file.callers}
    kept = {(caller.file, caller.name) for file in after.index.files for caller in file.callers}
    gone = {key for key in keys - kept if not _may_go(before, *key)}
    assert not gone, f"a build is gone after: {title}"


def _may_go(workspace: Workspace, path: str, name: str) -> bool:
    """Whether a build is one of a file that says nothing but the argument of it; another file says the rest."""
    file = workspace.index.file(path)
    assert file is not None
    return any(caller.name == name and caller.build_args and not caller.secrets for caller in file.callers)


def _check_whole(workspace: Workspace) -> None:
    """A repair of the callers, and of the Dockerfile with them."""
    dockerfile = f"{ROOT}/Dockerfile"
    edits = caller_edits(Reading(workspace.index), dockerfile, (_SECRET,))
    after = workspace.after(edits)
    _check_readable(workspace, after, "all callers")
    assert caller_edits(Reading(after.index), dockerfile, (_SECRET,)) == (), (
        "the repair of the callers is not done after one"
    )
    analysis = workspace.analysis(dockerfile)
    links = workspace.index.callers_of(dockerfile)
    if analysis is None or not links:
        return
    for report in analysis.reports[:1]:
        for fix in fixes(analysis, report)[:1]:
            whole = whole_fix(Reading(workspace.index), links[0], analysis, fix)
            if whole is not None:
                _check_readable(workspace, workspace.after(whole.files), whole.title)
