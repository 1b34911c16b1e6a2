"""Fixes that keep secret files out of the build context, shared by the rules that report what a folder takes along."""

from __future__ import annotations

from buildhush.fixes.invocation import context_path
from buildhush.flow.facts import CopiedSecret, Facts
from buildhush.rules.api import Fix, IgnoreEntry, Safety


def leave_out_of_context(facts: Facts, paths: tuple[str, ...], context: str, *, is_read: bool) -> Fix:
    """Entries in the ignore file of the context; the Dockerfile stays as it is. `is_read`: a command may read one."""
    needed = needed_paths(facts, context)
    is_needed = is_read or any(context_path(path) in needed for path in paths)
    return Fix(
        "Leave the secret files out of the build context (.dockerignore)",
        Safety.UNSAFE if is_needed else Safety.SAFE,
        (),
        lines=tuple(IgnoreEntry(path, context) for path in paths),
        note="A command that reads such a file during the build needs it as a secret mount",
    )


def needed_paths(facts: Facts, context: str, but: CopiedSecret | None = None) -> set[str]:
    """The secret files that instructions name themselves, `but` one COPY, as paths of the context called `context`."""
    copied = (each for each in facts.copied_secrets if not each.through and each is not but)
    paths = {context_path(each.path) for each in copied if each.context == context}
    bound = (each for each in facts.bound_secrets if not each.through and each.context == context)
    return paths | {context_path(each.mount.source or "") for each in bound}
