"""What a user can set: `.buildhush.toml`, or the table `[tool.buildhush]` of a `pyproject.toml`.

The file nearest to a Dockerfile holds for it, alone: nothing is merged from files further up. Reading files is left to
the caller (`load_config` is given a reader), so that this module does no I/O. The options stand in one table,
`OPTIONS`; the parser, its error messages and the published JSON schema are all made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from buildhush.knowledge.commands import CommandKnowledge
from buildhush.rules.api import Severity

FILE_NAME = ".buildhush.toml"
PROJECT_FILE_NAME = "pyproject.toml"

MOST_PROBLEMS = 100
"""What is wrong beyond that is not told."""

MOST_DOTS = 50
"""In a key."""

MOST_WILDCARDS = 3
"""`*` in a part of a pattern."""

MOST_FOLDER_WILDCARDS = 2
"""`**` in a pattern."""

Reader = Callable[[Path], "str | None"]
"""The text of a file, None when there is none or it can't be read."""


class Settings(Struct, frozen=True):
    """What the engine is told. `select` None means all rules; `ignore` is taken off `select`.

    `severity`: by rule id. `commands`: the user's own commands by name, before those buildhush knows.
    `secret_names`, `public_names`: globs for ARG and ENV names, compared without case; a public name wins.
    `require_reason`: a suppression comment without ` -- reason` has no effect.
    """

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    commands: Mapping[str, CommandKnowledge] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()
    public_names: tuple[str, ...] = ()
    require_reason: bool = False

    def wants(self, rule_id: str) -> bool:
        """Whether a rule is on."""
        return rule_id not in self.ignore and (self.select is None or rule_id in self.select)


class Override(Struct, frozen=True):
    """Settings for some files. `files`: patterns as in .gitignore, relative to the configuration file's folder.

    `changes` holds only what was written: `ignore`, `severity`, names and commands add to those of the file; `select`
    and `require_reason` replace them.
    """

    files: tuple[str, ...]
    changes: Mapping[str, Any]

    def applied_to(self, settings: Settings) -> Settings:
        """`settings` with the changes."""
        merged: dict[str, Any] = {}
        for name, value in self.changes.items():
            before = getattr(settings, name)
            if name in ("select", "require_reason"):
                merged[name] = value
            elif isinstance(before, frozenset):
                merged[name] = before | value
            elif isinstance(before, tuple):
                merged[name] = before + tuple(each for each in value if each not in before)
            else:
                merged[name] = {**before, **value}
        return replace(settings, **merged)


class Configuration(Struct, frozen=True):
    """One configuration file. `file` is None when there is none and everything is at its default.

    `folder`: what patterns are relative to. `exclude`: files and folders that a search leaves out. `fail_on`: the
    lowest severity that makes `check` exit with 1. `baseline`: path as written, relative to `folder`.
    """

    file: Path | None = None
    folder: Path = Path()
    settings: Settings = Settings()
    overrides: tuple[Override, ...] = ()
    exclude: tuple[str, ...] = ()
    fail_on: Severity | None = None
    baseline: str | None = None

    def settings_for(self, path: PurePath | str | None) -> Settings:
        """The settings for one Dockerfile; None (an untitled buffer) gets those without overrides."""
        if path is None or not self.overrides:
            return self.settings
        relative = _relative(PurePath(path), self.folder)
        settings = self.settings
        for override in self.overrides:
            if relative is not None and matches(override.files, relative):
                settings = override.applied_to(settings)
        return settings

    def excludes(self, path: PurePath | str) -> bool:
        """Whether a search leaves out this file or folder."""
        if not self.exclude:
            return False
        relative = _relative(PurePath(path), self.folder)
        return relative is not None and matches(self.exclude, relative)


class ConfigurationProblem(Struct, frozen=True):
    """One thing that is wrong in a configuration file: `line` is 1-based, `key` dotted, `nearest` a valid one.

    `failed_inside`: nothing is wrong with the file, reading it failed.
    """

    file: str
    line: int
    key: str
    message: str
    nearest: str | None = None
    failed_inside: bool = False

    def __str__(self) -> str:
        hint = f"; did you mean `{self.nearest}`?" if self.nearest else ""
        key = f"`{self.key}`: " if self.key else ""
        return f"{self.file}:{self.line}: {key}{self.message}{hint}"


class ConfigurationError(ValueError):
    """A configuration file that can't be used, with everything that is wrong in it."""

    def __init__(self, problems: tuple[ConfigurationProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @property
    def failed_inside(self) -> bool:
        """Whether reading it failed, whatever stands in it."""
        return any(problem.failed_inside for problem in self.problems)


class Option(Struct, frozen=True):
    """One key. `kind`: rules, severities, names, patterns, flag, severity, path or commands. `field` of `Settings`."""

    key: str
    kind: str
    help: str
    field: str | None = None


OPTIONS: tuple[Option, ...] = (
    Option("select", "rules", "Report only these rules.", "select"),
    Option("ignore", "rules", "Do not report these rules.", "ignore"),
    Option("severity", "severities", "Severity by rule: error, warning, information or hint.", "severity"),
    Option(
        "secret-names",
        "names",
        "Globs for ARG and ENV names that carry a secret although their name does not look like it.",
        "secret_names",
    ),
    Option(
        "public-names",
        "names",
        "Globs for ARG and ENV names that carry no secret although their name looks like it.",
        "public_names",
    ),
    Option(
        "require-reason",
        "flag",
        "A suppression comment has no effect unless it says why: `# buildhush: ignore=RULE -- reason`.",
        "require_reason",
    ),
    Option(
        "commands",
        "commands",
        "Your own commands, by name: what they print and which files they keep a credential in.",
        "commands",
    ),
    Option("exclude", "patterns", "Files and folders that a search leaves out, as in .gitignore."),
    Option("fail-on", "severity", "The lowest severity that makes `check` exit with status 1."),
    Option("baseline", "path", "The baseline file with findings to leave out, relative to this file."),
)
_OPTIONS_BY_KEY = {option.key: option for option in OPTIONS}
_OVERRIDE_KEYS = ("files", *(option.key for option in OPTIONS if option.field))


def load_config(folder: Path, read: Reader, rule_ids: Collection[str] | None = None) -> Configuration:
    """The configuration that holds for files in `folder` (absolute): the nearest file in it or above it.

    `rule_ids`: the rules that exist; None asks the registry, and only when there is a file. Raises ConfigurationError.
    """
    for place in (folder, *folder.parents):
        found = configuration_in(place, read, rule_ids)
        if found is not None:
            return found
    return Configuration(folder=folder)


def configuration_in(folder: Path, read: Reader, rule_ids: Collection[str] | None = None) -> Configuration | None:
    """As `load_config`, of what stands in the folder itself; None when nothing does."""
    own = folder / FILE_NAME
    known_rules = None if rule_ids is None else frozenset(rule_ids)
    text = read(own)
    if text is not None:
        outcome = _outcome(parse_configuration, text, own, known_rules)
    else:
        project = folder / PROJECT_FILE_NAME
        text = read(project)
        if text is None or "buildhush" not in text:
            return None
        outcome = _outcome(parse_project_file, text, project, known_rules)
    if isinstance(outcome, tuple):
        raise ConfigurationError(outcome)
    return outcome


@lru_cache(maxsize=8)
def _outcome(
    parse: Callable[[str, Path, frozenset[str] | None], Configuration | None],
    text: str,
    file: Path,
    rule_ids: frozenset[str] | None,
) -> Configuration | tuple[ConfigurationProblem, ...] | None:
    """What a text says, or what is wrong with it. All folders below a file, and all looks at it, ask for the same."""
    try:
        return parse(text, file, rule_ids)
    except ConfigurationError as error:
        return error.problems


def parse_configuration(text: str, file: Path, rule_ids: Collection[str] | None = None) -> Configuration:
    """Reads a `.buildhush.toml`. Raises ConfigurationError."""
    return _Parser(text, file, rule_ids, ()).configuration(_parse_toml(text, file))


def parse_project_file(text: str, file: Path, rule_ids: Collection[str] | None = None) -> Configuration | None:
    """Reads `[tool.buildhush]` of a `pyproject.toml`; None when it has no such table. Raises ConfigurationError."""
    try:
        document = _parse_toml(text, file)
    except ConfigurationError:
        if re.search(r"^\s*\[\[?\s*tool\s*\.\s*[\"']?buildhush\b", text, re.MULTILINE):
            raise
        # A broken file of other tools is theirs to complain about.
        return None
    tool = document.get("tool")
    table = tool.get("buildhush") if isinstance(tool, dict) else None
    if table is None:
        return None
    parser = _Parser(text, file, rule_ids, ("tool", "buildhush"))
    if not isinstance(table, dict):
        parser.complain((), "must be a table")
        raise ConfigurationError(tuple(parser.problems))
    return parser.configuration(table)


def parse_table(table: Mapping[str, Any], source: Path, rule_ids: Collection[str] | None = None) -> Configuration:
    """Reads options that are already values, such as an editor's settings; `source` names them in errors.

    Raises ConfigurationError.
    """
    return _Parser("", source, rule_ids, ()).configuration(table)


def matches(patterns: tuple[str, ...], relative: PurePath) -> bool:
    """Whether a relative path matches one of the patterns, which read as in .gitignore."""
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(patterns).match_file(relative.as_posix())


def _is_readable(pattern: str) -> bool:
    """Whether a pattern can be matched; `[b-a]` can't."""
    import pathspec

    try:
        pathspec.GitIgnoreSpec.from_lines((pattern,))
    except (ValueError, re.error):
        return False
    return True


def nearest(word: str, possible: Collection[str]) -> str | None:
    """The possible word that was probably meant, None when none is close."""
    import difflib

    close = difflib.get_close_matches(word.replace("_", "-").lower(), sorted(possible), n=1, cutoff=0.6)
    return close[0] if close else None


def _relative(path: PurePath, folder: PurePath) -> PurePath | None:
    if not path.is_absolute():
        return path
    try:
        return path.relative_to(folder)
    except ValueError:
        return None


def _parse_toml(text: str, file: Path) -> dict[str, Any]:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    # tomllib keeps every part of a dotted key: memory like the square of its length.
    if any(line.partition("=")[0].count(".") > MOST_DOTS and line.lstrip()[:1] != "#" for line in text.split("\n")):
        raise ConfigurationError((ConfigurationProblem(str(file), 1, "", "nested too deeply"),))
    try:
        # TOML knows no byte order mark, but editors write one.
        document: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        message = found[1] if found else str(error)
        raise ConfigurationError((ConfigurationProblem(str(file), line, "", f"not valid TOML: {message}"),)) from None
    except RecursionError:
        raise ConfigurationError((ConfigurationProblem(str(file), 1, "", "nested too deeply"),)) from None
    return document


_Path = tuple["str | int", ...]
_WHERE = "commands"


class _Parser:
    """Turns one TOML table into a Configuration and collects every problem on the way."""

    def __init__(self, text: str, file: Path, rule_ids: Collection[str] | None, prefix: _Path) -> None:
        self.text = text
        self.file = file
        self.prefix = prefix
        self.problems: list[ConfigurationProblem] = []
        self._rule_ids = rule_ids

    @property
    def rule_ids(self) -> Collection[str]:
        if self._rule_ids is None:
            from buildhush.rules.registry import RULES

            self._rule_ids = tuple(RULES)
        return self._rule_ids

    def configuration(self, table: Mapping[str, Any]) -> Configuration:
        values: dict[str, Any] = {}
        overrides: list[Override] = []
        for key, value in table.items():
            if key == "overrides":
                overrides = list(self.overrides(value))
            elif key in _OPTIONS_BY_KEY:
                values[key] = self.value(_OPTIONS_BY_KEY[key], (key,), value)
            else:
                self.unknown((key,), [*_OPTIONS_BY_KEY, "overrides"])
        if self.problems:
            raise ConfigurationError(tuple(sorted(self.problems, key=lambda problem: problem.line)))
        fields = {option.field: values[option.key] for option in OPTIONS if option.field and option.key in values}
        return Configuration(
            file=self.file,
            folder=self.file.parent,
            settings=Settings(**fields),
            overrides=tuple(overrides),
            exclude=values.get("exclude", ()),
            fail_on=values.get("fail-on"),
            baseline=values.get("baseline"),
        )

    def overrides(self, value: object) -> Iterator[Override]:
        if not isinstance(value, list):
            self.complain(("overrides",), "must be an array of tables, written `[[overrides]]`")
            return
        for number, table in enumerate(value):
            path = ("overrides", number)
            if not isinstance(table, dict):
                self.complain(path, "must be a table with `files` and what holds for them")
                continue
            files: tuple[str, ...] = ()
            changes: dict[str, Any] = {}
            for key, each in table.items():
                option = _OPTIONS_BY_KEY.get(key)
                if key == "files":
                    files = self.patterns((*path, key), each)
                elif option is not None and option.field:
                    changes[option.field] = self.value(option, (*path, key), each)
                elif option is not None:
                    self.complain((*path, key), "holds for all files and can't stand in an override")
                else:
                    self.unknown((*path, key), _OVERRIDE_KEYS)
            if "files" not in table:
                self.complain(path, "needs `files`, a list of patterns")
            yield Override(files, changes)

    def value(self, option: Option, path: _Path, value: object) -> Any:
        if option.kind == "rules":
            names = self.strings(path, value)
            return frozenset(name for name in names if self.known_rule(path, name))
        if option.kind == "patterns":
            return self.patterns(path, value)
        if option.kind == "names":
            return self.strings(path, value)
        if option.kind == "severities":
            return self.severities(path, value)
        if option.kind == "severity":
            return self.severity(path, value)
        if option.kind == "commands":
            return self.commands(path, value)
        wanted: type = bool if option.kind == "flag" else str
        if not isinstance(value, wanted):
            self.complain(path, "must be true or false" if wanted is bool else "must be a string")
        return value

    def strings(self, path: _Path, value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
            return tuple(value)
        self.complain(path, "must be a list of strings that are not empty")
        return ()

    def patterns(self, path: _Path, value: object) -> tuple[str, ...]:
        """Patterns as in .gitignore. What they become takes time like a power of the number of wildcards."""
        found = self.strings(path, value)
        for pattern in found:
            parts = pattern.split("/")
            if parts.count("**") > MOST_FOLDER_WILDCARDS or any(part.count("*") > MOST_WILDCARDS for part in parts):
                limit = f"at most {MOST_WILDCARDS} `*` between slashes and {MOST_FOLDER_WILDCARDS} `**`"
                self.complain(path, f"has a pattern with too many wildcards: {limit}", literal=pattern)
            elif not _is_readable(pattern):
                self.complain(path, "has a pattern that can't be read", literal=pattern)
        return found

    def severities(self, path: _Path, value: object) -> dict[str, Severity]:
        if not isinstance(value, dict):
            self.complain(path, "must be a table from rule to severity")
            return {}
        found: dict[str, Severity] = {}
        for rule_id, each in value.items():
            severity = self.severity((*path, rule_id), each)
            if rule_id not in self.rule_ids:
                self.unknown((*path, rule_id), self.rule_ids, "is no rule")
            elif severity is not None:
                found[rule_id] = severity
        return found

    def severity(self, path: _Path, value: object) -> Severity | None:
        possible = [severity.value for severity in Severity]
        if isinstance(value, str) and value in possible:
            return Severity(value)
        meant = nearest(value, possible) if isinstance(value, str) else None
        self.complain(path, f"must be one of {', '.join(possible)}", meant, str(value))
        return None

    def commands(self, path: _Path, value: object) -> dict[str, CommandKnowledge]:
        from buildhush.knowledge.catalogue import KnowledgeError, parse_commands

        if not isinstance(value, dict):
            self.complain(path, "must hold one table for each command, written `[commands.NAME]`")
            return {}
        found: dict[str, CommandKnowledge] = {}
        for name, table in value.items():
            if not isinstance(table, dict):
                self.complain((*path, name), "must be a table")
                continue
            try:
                found.update(parse_commands({name: table}, _WHERE))
            except KnowledgeError as error:
                message = str(error).removeprefix(f"{_WHERE}: ").removeprefix(f"[{name}]: ")
                # The first word in backticks is the one at fault.
                fault = re.search(r"`([^`]+)`", message)
                self.complain((*path, name), message, literal=fault[1] if fault else None)
        return found

    def known_rule(self, path: _Path, name: str) -> bool:
        if name in self.rule_ids:
            return True
        self.complain(path, f"`{name}` is no rule", nearest(name, self.rule_ids), name)
        return False

    def unknown(self, path: _Path, possible: Collection[str], message: str = "is no option") -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.complain(path, message, nearest(str(path[-1]), possible))

    def complain(self, path: _Path, message: str, meant: str | None = None, literal: str | None = None) -> None:
        if len(self.problems) >= MOST_PROBLEMS:
            return
        full = (*self.prefix, *path)
        line = line_of_key(self.text, full, literal)
        shown = ".".join(f"[{part}]" if isinstance(part, int) else part for part in full).replace(".[", "[")
        self.problems.append(ConfigurationProblem(str(self.file), line, shown, message, meant))


_DEEPEST_KEY = 20
_KEY_PART = r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[A-Za-z0-9_-]+)"
_DOTTED = rf"{_KEY_PART}(?:\s*\.\s*{_KEY_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_TOKEN = re.compile(r"\"\"\"|'''|\"(?:[^\"\\\n]|\\.)*(?:\"|\\?\Z)|'[^'\n]*'|#[^\n]*|[\[\]{}]")


def line_of_key(text: str, path: _Path, literal: str | None = None) -> int:
    """The 1-based line where a key of a TOML document is written, or the nearest table around it.

    `literal`: a string inside its value whose own line is wanted. tomllib tells no positions, hence this scan.
    """
    lines = _key_lines(text)
    known = next((path[:length] for length in range(len(path), 0, -1) if path[:length] in lines), None)
    if known is None:
        return 1
    line = lines[known]
    wanted = [literal] if literal is not None else [str(part) for part in path[len(known) :]][-1:]
    behind = [other for key, other in lines.items() if other > line and key[: len(known)] != known]
    following = min(behind, default=text.count("\n") + 2)
    written = text.split("\n")
    for word in wanted:
        for number in range(line, following):
            if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", written[number - 1]):
                return number
    return line


@lru_cache(maxsize=1)
def _key_lines(text: str) -> dict[_Path, int]:
    """Where each key and table header stands; array tables carry their index in the path."""
    found: dict[_Path, int] = {}
    counts: dict[_Path, int] = {}
    prefix: _Path = ()
    depth = 0
    quote = ""
    for number, line in enumerate(text.split("\n"), start=1):
        rest = line
        if not quote and depth == 0:
            header = _HEADER.match(line)
            assignment = _ASSIGNMENT.match(line) if header is None else None
            if header is not None:
                prefix = _indexed(_parts(header[2]), counts)
                if header[1] == "[[":
                    counts[prefix] = counts.get(prefix, -1) + 1
                    prefix = (*prefix, counts[prefix])
                found.setdefault(prefix, number)
                continue
            if assignment is not None:
                parts = _parts(assignment[1])
                for length in range(1, min(len(parts), _DEEPEST_KEY) + 1):
                    found.setdefault((*prefix, *parts[:length]), number)
                rest = line[assignment.end() :]
        depth, quote = _after(rest, depth, quote)
    return found


def _after(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Bracket depth and open multi-line quote behind a line."""
    position = 0
    while position < len(line):
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        if token[0] in ('"""', "'''"):
            quote = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth = max(depth - 1, 0)
    return depth, quote


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY_PART, dotted))


def _indexed(parts: tuple[str, ...], counts: Mapping[_Path, int]) -> _Path:
    """A header's path with the index of the latest element of each array of tables on the way."""
    path: _Path = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if path in counts and position < len(parts) - 1:
            path = (*path, counts[path])
    return path
