"""Fixes for a secret file that COPY or ADD brings in: mount it where it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from buildhush.dockerfile.nodes import Run, Word
from buildhush.fixes.instructions import drop_source
from buildhush.fixes.invocation import context_path, secret_id_for_file
from buildhush.fixes.mounts import add_mount, secret_options
from buildhush.fixes.scripts import body_of, command_name, commands
from buildhush.fixes.surroundings import mentions, user_at
from buildhush.fixes.writes import drop_commands
from buildhush.flow.facts import CopiedSecret, Facts, Place
from buildhush.rules.api import Fix, IgnoreEntry, PassedSecret, Safety
from buildhush.rules.context_fixes import needed_paths
from buildhush.shell import ir
from buildhush.text.spans import Edit

# A mounted secret is read-only, so these fail on it, and a mount needs none of them.
_NEEDLESS = frozenset(("chmod", "chown", "chgrp", "rm", "unlink", "shred"))
_CHANGING = frozenset(("mv", "sed", "tee", "truncate", "install", "dos2unix"))
# They read credential files of the home folder that nobody names on the command line.
_IMPLICIT_READERS = frozenset(
    ("git", "ssh", "scp", "sftp", "rsync", "curl", "wget", "aws", "go", "cargo", "mvn", "gradle")
)
# Clients read their own files and what they are given, not the files of a project.
_CLIENTS = frozenset(("curl", "wget", "docker", "echo", "true", "cd", "mkdir", "tar", "unzip", "export", "set"))
_OF_CLIENTS = frozenset((".netrc", ".curlrc", ".wgetrc", "config.json"))
_IMPLICIT_READERS |= frozenset(("npm", "npx", "yarn", "pnpm", "pip", "pip3", "uv", "poetry", "bundle", "composer"))


def mount_instead_of_copy(facts: Facts, copied: CopiedSecret) -> Iterator[Fix]:
    """Remove the source from the COPY and mount the file, at the same place, in the RUNs that read it."""
    source = _source(copied)
    if source is None or re.search(r"[*?\[$]", copied.path) or copied.context:
        # Where an additional context lies, and so the file for the secret, only its caller knows.
        return
    dropped = drop_source(facts.tree, copied.node, [source])
    if dropped is None:
        return
    secret_id = secret_id_for_file(copied.path)
    moved = _moved_readers(facts, copied, secret_id)
    if moved is None:
        return
    reader_edits, mounted, safety = moved
    if mounted and copied.is_folder:
        # A secret is one file: which of the folder's the RUN reads is not known.
        return
    lines = _ignore_lines(facts, copied)
    if mounted:
        yield Fix(
            f"Mount `{copied.path}` as a build secret instead of copying it",
            safety,
            (*dropped, *reader_edits),
            lines=lines,
            passes=(PassedSecret(secret_id, file=context_path(copied.path)),),
        )
        return
    yield Fix(
        f"Do not copy `{copied.path}` into the image",
        Safety.UNSAFE,
        (*dropped, *reader_edits),
        lines=lines,
        note="No RUN is seen to read it; a program that reads it when the container runs must get it at that time",
    )


def _source(copied: CopiedSecret) -> Word | None:
    by_place = [word for word in copied.node.sources if word.span == copied.place.span]
    return next((word for word in (*by_place, *copied.node.sources) if word.value == copied.path), None)


def _ignore_lines(facts: Facts, copied: CopiedSecret) -> tuple[IgnoreEntry, ...]:
    path = context_path(copied.path)
    # Another instruction may still need the file in the context.
    return () if path in needed_paths(facts, copied.context, copied) else (IgnoreEntry(path),)


def _moved_readers(facts: Facts, copied: CopiedSecret, secret_id: str) -> tuple[tuple[Edit, ...], bool, Safety] | None:
    if copied.destination is None:
        return None
    readers: dict[int, tuple[Run, list[Place]]] = {}
    for reader in copied.readers:
        if not isinstance(reader.node, Run):
            return None
        if reader.places or not _reads_own_files_only(reader.node, copied.destination):
            readers[id(reader.node)] = (reader.node, list(reader.places))
    removal = copied.removal
    if removal is not None:
        entry = readers.setdefault(id(removal.run), (removal.run, []))
        if not any(place.span.overlaps(removal.place.span) for place in entry[1]):
            entry[1].append(removal.place)
    return mounts_at_file(facts, list(readers.values()), copied.destination, secret_id)


def _reads_own_files_only(run: Run, path: str) -> bool:
    """Whether a RUN that does not name the file calls only programs that would not look for it by themselves."""
    body = body_of(run)
    if body is None or path.rsplit("/", 1)[-1] in _OF_CLIENTS:
        return False
    return all(command_name(each) in _CLIENTS for each in commands(body))


def mounts_at_file(
    facts: Facts, readers: list[tuple[Run, list[Place]]], path: str, secret_id: str
) -> tuple[tuple[Edit, ...], bool, Safety] | None:
    """Mount a secret at `path` in every RUN that reads the file; commands that a mount makes needless go.

    `readers`: the RUNs with the places where they name it. Answers the edits, whether any RUN got a mount, and how safe
    that is; None when a RUN changes the file or can't be edited.
    """
    edits: list[Edit] = []
    mounted = False
    safety = Safety.NEEDS_SECRET_FLAG
    for run, places in readers:
        split = _split(run, places, path) if facts.tree.holds(run) else None
        gone = drop_commands(facts.tree, run, split[0]) if split else None
        if split is None or gone is None:
            return None
        edits += gone
        if not split[1]:
            continue
        mounted = True
        user = _user_options(facts, run)
        if "mode" in user and ".ssh" in path:
            # ssh refuses a key that others can read.
            safety = Safety.UNSAFE
        added = add_mount(facts.tree, run, secret_options(secret_id, target=path, **user))
        if added is None:
            return None
        edits = [*added, *edits]
    return tuple(edits), mounted, safety


def _user_options(facts: Facts, run: Run) -> dict[str, str]:
    user = user_at(facts.tree, run)
    if user is None or user.split(":")[0] in ("root", "0"):
        return {}
    match = re.fullmatch(r"(\d+)(?::(\d+))?", user)
    if match is None:
        return {"mode": "0444"}
    return {"uid": match.group(1)} | ({"gid": match.group(2)} if match.group(2) else {})


def _split(run: Run, places: list[Place], destination: str) -> tuple[list[ir.Simple], bool] | None:
    """The commands on the file that a mount makes needless, and whether others read it. None when one changes it."""
    body = body_of(run)
    if body is None or run.script is None:
        return ([], True) if run.exec_form else None
    named: list[ir.Simple] = []
    rest: list[ir.Simple] = []
    for command in commands(body):
        span = run.script.source_span(command.span)
        by_place = any(place.span.overlaps(span) for place in places)
        written = run.script.text[command.span.start : command.span.end]
        (named if by_place or mentions(written, destination) else rest).append(command)
    needless: list[ir.Simple] = []
    reads = not named
    for command in named:
        name = command_name(command)
        operands = [word for word in command.words[1:] if not (word.constant or "").startswith("-")]
        expected = 1 if name in ("rm", "unlink", "shred") else 2
        if name in _NEEDLESS:
            if len(operands) != expected:
                return None
            needless.append(command)
            continue
        if name in _CHANGING or any(_writes(redirect, destination) for redirect in command.redirects):
            return None
        reads = True
    return needless, reads or any(command_name(command) in _IMPLICIT_READERS for command in rest)


def _writes(redirect: ir.Redirect, destination: str) -> bool:
    target = redirect.target.constant if redirect.target else None
    return redirect.operator.startswith((">", "&>")) and target is not None and mentions(target, destination)
