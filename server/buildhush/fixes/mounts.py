"""Edits on the `--mount` flags of a RUN. Grammar and defaults: FACTS section 3."""

from __future__ import annotations

import re

from buildhush.dockerfile.nodes import Dockerfile, Mount, Run
from buildhush.text.spans import Edit, Span, insertion


def add_mount(tree: Dockerfile, run: Run, options: str) -> tuple[Edit, ...] | None:
    """Put `--mount=OPTIONS` behind the flags that are there, laid out like them."""
    if not tree.holds(run):
        return None
    if not run.flags:
        at, gap = run.keyword_span.end, " "
    else:
        last = run.flags[-1]
        before = run.flags[-2].span.end if len(run.flags) > 1 else run.keyword_span.end
        at, gap = last.span.end, _gap(tree, run.text[before : last.span.start])
    return (insertion(tree.start_of(run) + at, f"{gap}--mount={options}"),)


def _gap(tree: Dockerfile, written: str) -> str:
    lines = re.split(r"\r\n|\n|\r", written)
    return " " if len(lines) == 1 else f" {tree.escape}{tree.newline}{lines[-1]}"


def secret_options(
    id: str,
    *,
    target: str | None = None,
    env: str | None = None,
    mode: str | None = None,
    uid: str | None = None,
    gid: str | None = None,
) -> str:
    """The options of a secret mount, `type` first because the order counts."""
    fields = {"type": "secret", "id": id, "target": target, "env": env, "uid": uid, "gid": gid, "mode": mode}
    return ",".join(quoted_field(f"{key}={value}") for key, value in fields.items() if value is not None)


def quoted_field(field: str) -> str:
    """A CSV field, quoted where its text asks for it."""
    return '"' + field.replace('"', '""') + '"' if re.search(r'[",]', field) else field


def replace_options(tree: Dockerfile, run: Run, mount: Mount, options: str) -> tuple[Edit, ...] | None:
    """Give a mount other options; its flag stays where it is."""
    if not tree.holds(run) or mount.flag.value_span is None:
        return None
    return (Edit(tree.absolute(run, mount.flag.value_span), options),)


def add_option(tree: Dockerfile, run: Run, mount: Mount, option: str) -> tuple[Edit, ...] | None:
    """Append one `key=value` to a mount."""
    if not tree.holds(run) or mount.flag.value_span is None:
        return None
    end = tree.absolute(run, mount.flag.value_span).end
    # Behind a closing quote of the whole value there is no place for one more field.
    return None if tree.text[end - 1] in "\"'" else (insertion(end, f",{quoted_field(option)}"),)


def remove_mount(tree: Dockerfile, run: Run, mount: Mount) -> tuple[Edit, ...] | None:
    """Take a mount away with the white space or continuation that belongs to it; comments between flags stay."""
    if not tree.holds(run):
        return None
    flags = run.flags
    at = next((index for index, flag in enumerate(flags) if flag.span == mount.flag.span), None)
    if at is None:
        return None
    span = flags[at].span
    following = flags[at + 1].span.start if at + 1 < len(flags) else run.arguments_span.start
    leading = flags[at - 1].span.end if at else run.keyword_span.end
    if run.arguments.text and "#" not in run.text[span.end : following]:
        cut = Span(span.start, following)
    elif "#" not in run.text[leading : span.start]:
        cut = Span(leading, span.end)
    else:
        cut = span
    return (Edit(tree.absolute(run, cut), ""),)


def mounts_of_secret(run: Run, id: str) -> tuple[Mount, ...]:
    """The secret mounts of a RUN with that id."""
    return tuple(mount for mount in run.mounts if mount.type == "secret" and mount.id == id)
