"""`docker build` and its relatives in a shell script: what each command line builds, and with what.

Facts: the option tables of docker buildx, docker (classic builder), podman, buildah and nerdctl. An option that is not
known to be a switch takes the next word, unless it has a `=`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from msgspec import Struct

from buildhush.companions.callers import (
    BuildPlace,
    Caller,
    CallerKind,
    NamedFolder,
    PassedArgument,
    PassedSecretUse,
    ReadText,
    Setting,
    ValueKind,
    named_folder,
)
from buildhush.companions.delegates import Delegated, of_bake, of_compose, read_override
from buildhush.companions.options import mode_of, provenance_of, secret_use, value_kind
from buildhush.shell.ir import Simple, Variable, Word
from buildhush.shell.reader import read
from buildhush.shell.walk import simple_commands
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

_PROGRAMS = frozenset({"docker", "podman", "buildah", "nerdctl", "docker.exe"})
_BEFORE_PROGRAM = frozenset({"sudo", "time", "exec", "env", "command", "nice", "nohup", "retry", "then", "do"})
_SWITCH_WORDS = """
    --no-cache --pull --pull-always --pull-never --push --load --quiet -q --rm --force-rm --squash --squash-all
    --compress --debug -D --check --disable-content-trust --layers --no-hostname --no-hosts --stdin --http-proxy
    --identity-label --inherit-labels --omit-history --skip-unused-stages --tls-verify --log --no-output --help --print
    --disable-compression --save-stages --http-proxy --experimental --tls --tlsverify
"""
_SWITCHES = frozenset(_SWITCH_WORDS.split())
_BUILDERS = re.compile(r"\b(?:docker|podman|buildah|nerdctl)\b")
_EXPRESSION = re.compile(r"\$\{\{(?:(?!\$\{\{).)*?\}\}", re.DOTALL)
_PLACEHOLDER = "\ue000"
"""Stands for each character of a workflow expression, so that the shell reader sees one word."""


class ScriptPlace(Struct, frozen=True):
    """Where a script runs. `folders`: absolute, the likeliest first. `own_folder`: where its file stands.

    `assigned`: of a recipe, the variables that its Makefile assigns; None when another file may assign more.
    """

    file: str
    kind: CallerKind
    key: tuple[str, ...]
    folders: tuple[str, ...]
    own_folder: str
    read_text: ReadText
    name: str = ""
    assigned: frozenset[str] | None = None


class CommandLine(Struct, frozen=True):
    """A build command's words in offsets of the script: what edits need.

    `first`: where an assignment can stand in front of it; `after_verb`: behind `build`. `arguments` and `secrets`:
    (name or id, start of the option's first word, end of its last word, end of the word in front). `delegates`: another
    file describes the build, and only that one can pass a secret. `context`: as written, relative to where the command
    runs, None when it is no folder of this machine.
    """

    script: MappedText
    first: int
    after_verb: int
    arguments: tuple[tuple[str, int, int, int], ...]
    elevated: bool
    delegates: bool = False
    context: str | None = None


def build_callers(script: MappedText, place: ScriptPlace) -> Iterator[Caller]:
    """The builds that a script starts. `script` is mapped to the file."""
    if _BUILDERS.search(script.text) is None:
        return
    masked = _EXPRESSION.sub(lambda match: _PLACEHOLDER * len(match.group()), script.text)
    parsed = read(masked)
    set_here = _set_in_script(parsed.body)
    folders: tuple[str, ...] | None = place.folders
    count = 0
    for command in simple_commands(parsed):
        words = command.words
        if not words:
            continue
        if words[0].constant in ("cd", "pushd") and len(words) >= 2:
            folders = _entered(folders, words[1], script.text, place)
            continue
        found = _build_words(words)
        if found is None:
            continue
        verb, program = found
        yield _caller(command, verb, program, script, place, folders, count, set_here)
        count += 1


def _set_in_script(body: object) -> frozenset[str]:
    """Names that the script assigns and never exports: a program that it starts does not see them."""
    if body is None:
        return frozenset()
    assigned: set[str] = set()
    exported: set[str] = set()
    for command in simple_commands(body):  # type: ignore[arg-type]
        if not command.words:
            assigned.update(each.name for each in command.assignments)
        elif command.words[0].constant == "export":
            exported.update(word.constant.partition("=")[0] for word in command.words[1:] if word.constant)
            exported.update(each.name for each in command.declared)
    return frozenset(assigned - exported)


def _entered(folders: tuple[str, ...] | None, word: Word, text: str, place: ScriptPlace) -> tuple[str, ...] | None:
    target = word.constant
    if target is None:
        written = text[word.span.start : word.span.end]
        # `cd "$(dirname "$0")"` in all its spellings.
        match = re.search(r"dirname|BASH_SOURCE|\$0\b", written)
        if match is None:
            return None
        behind = re.search(r"\)\"?(/[\w./-]*)\"?$", written)
        return (os.path.normpath(place.own_folder + (behind[1] if behind else "")),)
    if target == "-" or target.startswith("~") or _PLACEHOLDER in target:
        return None if target != "-" else place.folders
    if folders is None:
        return None
    return tuple(os.path.normpath(os.path.join(folder, target)) for folder in folders)


def _build_words(words: tuple[Word, ...]) -> tuple[int, str] | None:
    """The index of the word `build` or `bake`, and what reads the words behind it: "build", "compose" or "bake"."""
    names = [word.constant or "" for word in words[:12]]
    index = 0
    if names[0] in _BEFORE_PROGRAM:
        # Their own options and assignments stand between.
        index = next((i for i, name in enumerate(names) if os.path.basename(name) in _PROGRAMS), 0)
    program = os.path.basename(names[index])
    if program == "docker-compose":
        return (index + names[index:].index("build"), "compose") if "build" in names[index:] else None
    if program not in _PROGRAMS:
        return None
    rest = [(i, name) for i, name in enumerate(names) if i > index and not name.startswith("-")]
    verbs = [name for _, name in rest[:3]]
    if not rest:
        return None
    if program == "buildah" and verbs[0] in ("build", "bud", "build-using-dockerfile"):
        return rest[0][0], "build"
    if verbs[0] in ("build", "b"):
        return (rest[0][0], "build") if verbs[0] == "build" else None
    if verbs[0] in ("buildx", "image", "builder") and len(verbs) > 1 and verbs[1] in ("build", "b"):
        return rest[1][0], "build"
    if verbs[:2] == ["buildx", "bake"]:
        return rest[1][0], "bake"
    if verbs[0] == "compose" and "build" in verbs:
        return rest[verbs.index("build")][0], "compose"
    return None


def _caller(
    command: Simple,
    verb: int,
    program: str,
    script: MappedText,
    place: ScriptPlace,
    folders: tuple[str, ...] | None,
    count: int,
    set_here: frozenset[str],
) -> Caller:
    words = command.words
    owner = f"build command {count + 1}"
    arguments: list[PassedArgument] = []
    spans: list[tuple[str, int, int, int]] = []
    secrets: list[PassedSecretUse] = []
    ssh: list[str] = []
    found: dict[str, str | None] = {}
    files: list[str | None] = []
    wanted: list[str] = []
    target_span: Span | None = None
    cache_mode: Setting | None = None
    provenance: Setting | None = None
    positional: list[str | None] = []
    contexts: list[NamedFolder] = []
    opaque = False
    index = verb + 1
    while index < len(words):
        word = words[index]
        written = _written(script, word)
        first = index
        index += 1
        if not written.startswith("-") or written == "-":
            if _may_be_options(word):
                opaque = True
            positional.append(_unquoted(written))
            continue
        option, equals, value = written.partition("=")
        value_start = word.span.start + len(option) + 1
        if not equals:
            if option in _SWITCHES:
                continue
            if index >= len(words):
                continue
            value = _written(script, words[index])
            value_start = words[index].span.start
            index += 1
        end = words[index - 1].span.end
        content = _content(script, value, value_start)
        plain = content.text
        if option == "--build-arg":
            argument = _argument(content, owner, set_here, place)
            arguments.append(argument)
            spans.append((argument.name, words[first].span.start, end, words[first - 1].span.end))
        elif option == "--secret":
            secret = secret_use(content, 0, len(plain), owner)
            if secret is not None and "$" not in secret.id and _PLACEHOLDER not in secret.id:
                secrets.append(secret)
            else:
                opaque = True
        elif option == "--ssh":
            ssh.append(plain)
        elif option == "--cache-to":
            cache_mode = mode_of(content, 0, len(plain)) or cache_mode
        elif option == "--provenance" or (option == "--attest" and "provenance" in plain):
            provenance = provenance_of(content, 0, len(plain))
        elif option in ("-f", "--file"):
            found["file"] = _known(plain)
            files.append(found["file"])
        elif option == "--set":
            override = read_override(plain)
            if override is None or override.key != "args":
                opaque = opaque or override is None or override.key == "secrets"
                continue
            behind = (len(value) - len(plain)) // 2 + override.value_start
            named = _content(script, plain[override.value_start :], value_start + behind)
            argument = _argument(named, owner, set_here, place)
            arguments.append(argument)
            spans.append((argument.name, words[first].span.start, end, words[first - 1].span.end))
            wanted.append(override.target)
        elif option == "--build-context":
            name, _, value = plain.partition("=")
            contexts.append(named_folder(name, _known(value), folders or ()))
        elif option == "--target":
            found["target"] = _known(plain)
            target_span = content.source_span(Span(0, len(plain)))
        elif option in ("--env-file", "--build-arg-file", "--call"):
            opaque = opaque or option == "--build-arg-file"
    start, stop = words[0].span.start, words[-1].span.end
    elevated = any(word.constant == "sudo" for word in words[:verb])
    after_verb = words[verb].span.end
    site = CommandLine(script, start, after_verb, tuple(spans), elevated, program != "build", _local(positional))
    places = _places(folders or (), positional, found) if program == "build" else ()
    target, inherited = found.get("target"), ()  # type: str | None, tuple[PassedSecretUse, ...]
    if program != "build":
        delegated = _delegated(words, verb, program, script, place, folders or (), files, positional, wanted)
        places, target, inherited = delegated.places, delegated.target, delegated.secrets
        contexts += delegated.contexts
        opaque = opaque or not places
    return Caller(
        place.file,
        place.kind,
        (*place.key, str(count)),
        place.name or f"`{os.path.basename(words[max(verb - 1, 0)].constant or '')} {words[verb].constant}`",
        script.source_span(Span(words[max(verb - 1, 0)].span.start, min(after_verb, stop))),
        places,
        target,
        tuple(arguments),
        tuple(secrets),
        tuple(ssh),
        cache_mode,
        provenance,
        opaque,
        site,
        target_span,
        inherited_secrets=inherited,
        contexts=tuple(contexts),
    )


def _delegated(
    words: tuple[Word, ...],
    verb: int,
    program: str,
    script: MappedText,
    place: ScriptPlace,
    folders: tuple[str, ...],
    files: list[str | None],
    positional: list[str | None],
    wanted: list[str],
) -> Delegated:
    """What a command builds whose builds another file describes; nothing when a name can't be told."""
    if program == "compose":
        # Of compose the files stand in front of the verb.
        files = []
        for index, word in enumerate(words[:verb]):
            option, equals, value = _written(script, word).partition("=")
            if option in ("-f", "--file"):
                files.append(_known(value if equals else _written(script, words[index + 1])))
    known = [file for file in files if file is not None]
    names = [name for name in map(_known, filter(None, positional)) if name is not None]
    if len(known) != len(files) or len(names) != len(positional):
        return Delegated((), None, ())
    if program == "compose":
        return of_compose(folders, known, names, place.read_text)
    return of_bake(folders, known, names, wanted, place.read_text)


def _written(script: MappedText, word: Word) -> str:
    return script.text[word.span.start : word.span.end]


def _content(script: MappedText, written: str, start: int) -> MappedText:
    """A word's characters without the quotes around it, mapped to the file."""
    if len(written) >= 2 and written[0] in "\"'" and written[-1] == written[0]:
        written, start = written[1:-1], start + 1
    steps = tuple(range(len(written))) or (0,)
    return MappedText(written, steps, tuple(script.source_offset(start + step) for step in steps))


def _argument(content: MappedText, owner: str, set_here: frozenset[str], place: ScriptPlace) -> PassedArgument:
    name, equals, value = content.text.partition("=")
    kind, variable = value_kind(name, value if equals else None)
    if variable is not None and variable in set_here:
        # The script's own variable, which is not exported, is no environment variable of the build.
        kind, variable = ValueKind.EXPRESSION, None
    if place.kind is CallerKind.MAKEFILE and equals:
        kind, variable = _make_value(value, place.assigned)
    if name[:1] in ("'", '"'):
        name = name[1:]
    end = len(content.text)
    value_span = content.source_span(Span(len(content.text) - len(value), end)) if value else None
    return PassedArgument(
        name,
        kind,
        variable,
        content.source_span(Span(0, end)),
        content.source_span(Span(0, max(len(content.text.partition("=")[0]), 1))),
        value_span,
        owner,
    )


def _make_value(value: str, assigned: frozenset[str] | None) -> tuple[ValueKind, str | None]:
    """In a recipe `$$X` is the shell's `$X`, and `$(X)` make's own variable.

    A variable that no file assigns comes from make's environment or command line, and make exports those to recipes.
    """
    match = re.fullmatch(r"""["']?\$\$(?:(\w+)|\{(\w+)\})["']?""", value)
    if match is not None:
        return ValueKind.ENVIRONMENT, match[1] or match[2]
    match = re.fullmatch(r"""["']?\$[({](\w+)[)}]["']?""", value)
    if match is not None and assigned is not None and match[1] not in assigned:
        return ValueKind.ENVIRONMENT, match[1]
    return (ValueKind.EXPRESSION, None) if "$" in value else (ValueKind.LITERAL, None)


def _may_be_options(word: Word) -> bool:
    """Whether a word is a variable as a whole: `$OPTIONS`, `"${options[@]}"`."""
    parts = word.parts
    return len(parts) == 1 and isinstance(parts[0], Variable) and parts[0].name not in ("PWD", "1")


def _unquoted(written: str) -> str | None:
    text = written.strip("\"'")
    return re.sub(r"^(?:\$\(pwd\)|`pwd`|\$PWD|\$\{PWD\}|\$\(CURDIR\)|\$\{CURDIR\})", ".", text)


def _known(text: str) -> str | None:
    text = text.strip("\"'")
    text = re.sub(r"^(?:\$\(pwd\)|`pwd`|\$PWD|\$\{PWD\}|\$\(CURDIR\)|\$\{CURDIR\})", ".", text)
    return None if "$" in text or "`" in text or _PLACEHOLDER in text else text


def _context(positional: list[str | None]) -> str | None:
    contexts = [_known(each) for each in positional if each is not None]
    return next((each for each in reversed(contexts) if each is not None), None)


def _is_remote(context: str | None) -> bool:
    return context is not None and ("://" in context or context.startswith("git@"))


def _local(positional: list[str | None]) -> str | None:
    """The context when it is a folder of this machine, as written."""
    context = _context(positional)
    return None if context == "-" or _is_remote(context) else context


def _places(
    folders: tuple[str, ...], positional: list[str | None], found: dict[str, str | None]
) -> tuple[BuildPlace, ...]:
    if _is_remote(_context(positional)):
        return ()
    local = _local(positional)
    if "file" in found and (found["file"] is None or found["file"] == "-"):
        return ()
    if "file" not in found and local is None:
        return ()
    places = []
    for folder in folders:
        root = None if local is None else os.path.normpath(os.path.join(folder, local))
        # Of the classic builder and of buildx, the path of -f is relative to where the command runs.
        file = found.get("file")
        dockerfile = os.path.join(folder, file) if file is not None else os.path.join(root or folder, "Dockerfile")
        places.append(BuildPlace(os.path.normpath(dockerfile), root))
        if file is None:
            places.append(BuildPlace(os.path.join(root or folder, "Containerfile"), root))
    return tuple(places)


__all__ = ["CommandLine", "ScriptPlace", "build_callers"]
