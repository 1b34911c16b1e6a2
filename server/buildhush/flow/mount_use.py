"""Secret mounts of a RUN: which are used, and which can't work as they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from buildhush.dockerfile.nodes import Dockerfile, Mount, Run
from buildhush.dockerfile.stages import Stage
from buildhush.flow.facts import MountProblem, Place, SecretMount
from buildhush.flow.inputs import EVERYTHING
from buildhush.flow.machine import SECRETS_FOLDER
from buildhush.flow.scene import StateView
from buildhush.flow.summary import RunSummary
from buildhush.flow.symbols import display
from buildhush.flow.taint import Root, RootKind
from buildhush.text.spans import Span

_FRONTEND = re.compile(r"^docker(?:\.io)?/dockerfile:1\.(\d{1,4})(?:\.\d+)?(?:[-@].*)?$")
# The first Dockerfile frontend with `env=` (FACTS.md section 3).
_ENV_SINCE = 10


def mount_facts(
    run: Run,
    stage: Stage,
    view: StateView,
    summary: RunSummary,
    to_source: Callable[[Span], Span],
    expand: Callable[[str], str],
    tree: Dockerfile,
) -> tuple[tuple[SecretMount, ...], tuple[MountProblem, ...]]:
    """The RUN's secret mounts and what is wrong with its mounts."""
    mounts: list[SecretMount] = []
    problems: list[MountProblem] = []
    for mount in run.mounts:
        if mount.problems:
            reordered = _reordered(mount)
            problems += [
                MountProblem(run, "grammar", Place(run, problem.span), problem.message, mount, reordered)
                for problem in mount.problems
            ]
        if mount.type != "secret" or mount.id is None:
            continue
        path = view.resolved(expand(mount.target)) if mount.target is not None else None
        read = bool({Root(RootKind.MOUNT, mount.id), Root(RootKind.UNREADABLE, mount.id)} & summary.roots_read)
        asked = mount.env is not None and bool({mount.env, EVERYTHING} & summary.variables_asked)
        elsewhere = path is not None and not path.startswith(SECRETS_FOLDER + "/")
        used = bool(run.arguments.text) and (read or asked or summary.may_read_anything or elsewhere)
        mounts.append(SecretMount(run, stage, mount, path, used, view.user))
        problems += _unreadable(run, view, mount, path, read)
        problems += _tilde(run, view, mount, path, read)
        problems += _frontend(run, mount, tree)
    given = [mount.path for mount in mounts if mount.path is not None]
    for span, path in summary.missing_reads:
        if path in given or any(mount.type == "bind" for mount in run.mounts):
            continue
        near = get_close_matches(path, given, 1, 0.6) or (given if len(given) == 1 else [])
        suggestion = near[0] if near else None
        hint = f"; did you mean `{suggestion}`?" if suggestion else ""
        message = f"No mount of this RUN gives `{path}`{hint}"
        problems.append(MountProblem(run, "no-such-mount", Place(run, to_source(span)), message, None, suggestion))
    return tuple(mounts), tuple(problems)


def _unreadable(run: Run, view: StateView, mount: Mount, path: str | None, read: bool) -> list[MountProblem]:
    # The file is mode 0400 and owned by uid 0 unless the mount says otherwise (FACTS.md section 3).
    if view.is_root or path is None or not read or mount.env is not None:
        return []
    if mount.uid is not None or mount.gid is not None or (mount.mode is not None and mount.mode & 0o044):
        return []
    user = (view.user or "").partition(":")[0]
    suggestion = f"uid={user}" if user.isdigit() else "mode=0444"
    message = f"User `{user}` can't read secret `{mount.id}`: its file has mode 0400 and belongs to uid 0"
    return [MountProblem(run, "unreadable", Place(run, mount.flag.span), message, mount, suggestion)]


def _tilde(run: Run, view: StateView, mount: Mount, path: str | None, read: bool) -> list[MountProblem]:
    # Neither BuildKit nor the daemon of 20.10 expands it (seen in builds). A script that reads it where it lies knows.
    target, option = mount.target, mount.option("target", "dst", "destination")
    if read or path is None or target is None or not target.startswith("~"):
        return []
    if option is None or option.value_span is None:
        return []
    user, slash, rest = target.partition("/")
    # Where another user's home folder is, only the image knows.
    home = view.home if user == "~" and view.is_root else "/root" if user == "~root" else None
    suggestion = f"{home}{slash}{rest}" if home is not None else None
    message = f"`~` is not expanded in a mount: secret `{mount.id}` lies at `{display(path)}`"
    return [MountProblem(run, "tilde", Place(run, option.value_span), message, mount, suggestion)]


def _frontend(run: Run, mount: Mount, tree: Dockerfile) -> list[MountProblem]:
    directive = tree.directive("syntax")
    option = mount.option("env")
    if directive is None or option is None:
        return []
    match = _FRONTEND.match(directive.value.strip())
    if match is None or int(match.group(1)) >= _ENV_SINCE:
        return []
    message = f"`env=` needs Dockerfile frontend 1.{_ENV_SINCE}, but `# syntax` asks for 1.{match.group(1)}"
    return [MountProblem(run, "frontend", Place(run, option.span), message, mount, "docker/dockerfile:1")]


def _reordered(mount: Mount) -> str | None:
    """The mount with its type first, when that is what BuildKit misses."""
    kinds = [option for option in mount.options if option.key == "type"]
    if not kinds or mount.options[0] is kinds[0] or len(kinds) > 1:
        return None
    ordered = [kinds[0], *(option for option in mount.options if option is not kinds[0])]
    return ",".join(option.key if option.value is None else f"{option.key}={option.value}" for option in ordered)
