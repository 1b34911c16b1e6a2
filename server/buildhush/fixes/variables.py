"""Edits that hand an ARG's or ENV's value to its readers by secret mounts instead."""

from __future__ import annotations

from buildhush.dockerfile.nodes import Dockerfile, Run
from buildhush.fixes.mounts import add_mount, mounts_of_secret, secret_options
from buildhush.fixes.scripts import body_of, inserted, still_accepted
from buildhush.fixes.syntax import Frontend, frontend, syntax_edits
from buildhush.flow.facts import Reader
from buildhush.text.spans import Edit, Span


def mount_for_readers(tree: Dockerfile, readers: tuple[Reader, ...], name: str, id: str) -> tuple[Edit, ...] | None:
    """Mount the secret `id` for every reader, as the variable `name`.

    All readers move or none: None when one of them is no RUN, reads the variable in its flags, or can't be edited.
    The variable comes from `env=`, or, with a frontend older than 1.10, from the mounted file.
    """
    style = frontend(tree)
    if style is Frontend.WITHOUT_MOUNTS:
        return None
    by_file = style in (Frontend.OLD, Frontend.FOREIGN)
    edits: list[Edit] = []
    for reader in readers:
        moved = _as_file(tree, reader, name, id) if by_file else _as_variable(tree, reader, name, id)
        if moved is None:
            return None
        edits += moved
    if readers and not by_file:
        edits += syntax_edits(tree)
    return tuple(edits)


def _movable(tree: Dockerfile, reader: Reader) -> Run | None:
    run = reader.node
    if not isinstance(run, Run) or not tree.holds(run):
        return None
    flags = [flag.span for flag in run.flags]
    if any(place.span.overlaps(flag) for place in reader.places for flag in flags):
        return None
    return run


def _as_variable(tree: Dockerfile, reader: Reader, name: str, id: str) -> tuple[Edit, ...] | None:
    run = _movable(tree, reader)
    if run is None:
        return None
    if any(mount.type == "secret" and mount.env == name for mount in run.mounts):
        return ()
    return add_mount(tree, run, secret_options(id, env=name))


def _as_file(tree: Dockerfile, reader: Reader, name: str, id: str) -> tuple[Edit, ...] | None:
    run = _movable(tree, reader)
    body = body_of(run) if run is not None else None
    if run is None or run.script is None or body is None:
        return None
    existing = mounts_of_secret(run, id)
    if existing and existing[0].target != f"/run/secrets/{id}":
        return None
    start = body.span.start
    separator = tree.newline + _indentation(run, start) if run.script_is_heredoc else " && "
    # `export` answers with success whatever `cat` does, so the list behind it runs as it did before.
    prefix = f'export {name}="$(cat /run/secrets/{id})"{separator}'
    if not still_accepted(run, Edit(Span(start, start), prefix.replace("\r", ""))):
        return None
    at = tree.start_of(run) + run.script.source_offset(start)
    mount: tuple[Edit, ...] | None = () if existing else add_mount(tree, run, secret_options(id))
    if mount is None:
        return None
    return (*mount, Edit(Span(at, at), prefix)) if start or mount else (inserted(tree, run, 0, prefix),)


def _indentation(run: Run, start: int) -> str:
    assert run.script is not None
    written = run.text[: run.script.source_offset(start)]
    return written[len(written.rstrip(" \t")) :]
