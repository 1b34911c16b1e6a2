"""A rough outline of a Dockerfile, as far as building with canaries needs one: stages, cache mounts, ARG and ENV lines.

Not the parser of the analyser: it reads only what the engine has accepted or will judge itself, so it may be short.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEREDOC = re.compile(r"(?<!<)<<(-?)\s*([\"']?)([A-Za-z_][A-Za-z0-9_.]*)\2")
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?\s*$", re.IGNORECASE)


STAGE_PREFIX = "buildhush-stage-"


@dataclass(frozen=True, slots=True)
class OutlineInstruction:
    """One instruction: keyword in upper case, the text after it with continuations joined, 0-based lines."""

    keyword: str
    text: str = field(repr=False)
    line: int
    last_line: int
    original: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A cache mount; `fields` as written, in order, without type, target and id."""

    stage: int
    identifier: str
    target: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutlineStage:
    """A stage: its base as written, its name in lower case or None, and its instructions without the FROM.

    `last_line` is the 0-based line on which its FROM ends.
    """

    index: int
    base: str
    name: str | None
    last_line: int
    instructions: tuple[OutlineInstruction, ...]

    @property
    def step_label(self) -> str:
        """The stage's name in the names of its steps."""
        return self.name if self.name is not None else f"stage-{self.index}"

    @property
    def target(self) -> str:
        """What names the stage as a target after `with_named_stages`."""
        return self.name if self.name is not None else f"{STAGE_PREFIX}{self.index}"


@dataclass(frozen=True, slots=True)
class Outline:
    """The stages in order and the instructions before the first FROM."""

    globals: tuple[OutlineInstruction, ...]
    stages: tuple[OutlineStage, ...]

    def stage(self, reference: str) -> OutlineStage | None:
        """The stage that a --target or a FROM names: by name, or by number."""
        named = [stage for stage in self.stages if stage.name == reference.lower()]
        if named:
            return named[-1]
        if reference.isdigit() and int(reference) < len(self.stages):
            return self.stages[int(reference)]
        return None

    def ancestors(self, stage: OutlineStage) -> tuple[OutlineStage, ...]:
        """The stage itself and the stages that it is FROM, nearest first."""
        chain = [stage]
        while True:
            base = self._earlier(chain[-1])
            if base is None:
                return tuple(chain)
            chain.append(base)

    def _earlier(self, stage: OutlineStage) -> OutlineStage | None:
        named = [other for other in self.stages[: stage.index] if other.name == stage.base.lower()]
        return named[-1] if named else None

    def cache_mounts(self) -> tuple[CacheMount, ...]:
        """Every cache mount of every RUN, once for each id and set of options."""
        found: dict[CacheMount, None] = {}
        for stage in self.stages:
            for text in _run_texts(stage):
                found.update(dict.fromkeys(_cache_mounts(stage.index, text)))
        return tuple(found)

    def secret_ids(self) -> tuple[str, ...]:
        """Ids of all secret mounts, in order of appearance; ids with variables are left out."""
        found: dict[str, None] = {}
        for stage in self.stages:
            for text in _run_texts(stage):
                for options in _mounts(text):
                    values = dict(option.partition("=")[::2] for option in options)
                    name = values.get("id") or values.get("source") or values.get("src")
                    target = values.get("target") or values.get("dst") or values.get("destination")
                    identifier = name or posixpath.basename(target or "")
                    if values.get("type") == "secret" and identifier and "$" not in identifier:
                        found[identifier] = None
        return tuple(found)


def _run_texts(stage: OutlineStage) -> Iterator[str]:
    """The texts of the stage's RUNs, those behind ONBUILD included."""
    for instruction in stage.instructions:
        keyword, text = instruction.keyword, instruction.text
        if keyword == "ONBUILD":
            keyword, _, text = text.partition(" ")
        if keyword.upper() == "RUN":
            yield text


def _mounts(text: str) -> Iterator[tuple[str, ...]]:
    """The options of each --mount flag before the command, keys in lower case."""
    position = 0
    while match := re.compile(r"\s*--(\w+)=(\"[^\"]*\"|\S+)").match(text, position):
        position = match.end()
        if match[1] == "mount":
            options = (option.strip() for option in match[2].strip('"').split(","))
            yield tuple(
                f"{key.lower()}={value}" if sign else key.lower()
                for key, sign, value in (option.partition("=") for option in options)
            )


def _cache_mounts(stage: int, text: str) -> Iterator[CacheMount]:
    for options in _mounts(text):
        values = dict(option.partition("=")[::2] for option in options)
        target = values.get("target") or values.get("dst") or values.get("destination")
        if values.get("type") != "cache" or target is None:
            continue
        identifier = values.get("id") or posixpath.normpath(target)
        kept = tuple(
            option for option in options if option.partition("=")[0] in ("from", "source", "src", "uid", "gid", "mode")
        )
        yield CacheMount(stage, identifier, target, kept)


def read_outline(dockerfile: str) -> Outline:
    """The outline of any text; what is not a Dockerfile gives an outline without stages."""
    before: list[OutlineInstruction] = []
    stages: list[tuple[str, str | None, int, list[OutlineInstruction]]] = []
    for instruction in _instructions(dockerfile):
        if instruction.keyword == "FROM":
            match = _FROM.match(instruction.text)
            base, name = (match[1], match[2]) if match else (instruction.text, None)
            stages.append((base, name.lower() if name else None, instruction.last_line, []))
        elif stages:
            stages[-1][3].append(instruction)
        else:
            before.append(instruction)
    built = (
        OutlineStage(index, base, name, last_line, tuple(items))
        for index, (base, name, last_line, items) in enumerate(stages)
    )
    return Outline(tuple(before), tuple(built))


def with_named_stages(dockerfile: str, outline: Outline) -> str:
    """The Dockerfile in which every stage has a name: a current frontend takes no number for a target or a FROM."""
    lines = dockerfile.split("\n")
    for stage in outline.stages:
        if stage.name is None:
            lines[stage.last_line] = f"{lines[stage.last_line].rstrip()} AS {stage.target}"
    return "\n".join(lines)


def _instructions(dockerfile: str) -> Iterator[OutlineInstruction]:
    lines = dockerfile.split("\n")
    escape = "`" if re.search(r"^\s*#\s*escape\s*=\s*`", dockerfile, re.IGNORECASE | re.MULTILINE) else "\\"
    number = 0
    while number < len(lines):
        first = number
        joined, number = _joined_line(lines, number, escape)
        words = joined.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        keyword, text = words[0].upper(), words[1] if len(words) > 1 else ""
        last = number - 1
        if keyword in ("RUN", "COPY", "ADD", "ONBUILD"):
            for match in _HEREDOC.finditer(text):
                number = _after_heredoc(lines, number, match[3], strip_tabs=bool(match[1]))
        yield OutlineInstruction(keyword, text, first, last, "\n".join(lines[first:number]))


def _joined_line(lines: list[str], number: int, escape: str) -> tuple[str, int]:
    joined = ""
    continued = False
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        if continued and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if line.endswith(escape) and not line.lstrip().startswith("#"):
            joined += line[:-1]
            continued = True
            continue
        return joined + line, number
    return joined, number


def _after_heredoc(lines: list[str], number: int, delimiter: str, *, strip_tabs: bool) -> int:
    for position in range(number, len(lines)):
        line = lines[position].rstrip("\r")
        if (line.lstrip("\t") if strip_tabs else line) == delimiter:
            return position + 1
    return number
