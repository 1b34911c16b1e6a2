"""From the state in front of a RUN to the inputs of its script, and from the script's roots back to their sources."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Mount, Run
from buildhush.flow.copies import context_shown, relative_in
from buildhush.flow.facts import Certainty, Hop, Place, Source, SourceKind
from buildhush.flow.inputs import InputFile, InputVariable, MountedPath, RunInputs, ShellOptions, Storage
from buildhush.flow.scene import ContextView, StateView
from buildhush.flow.stage_state import MAX_FOLLOWED, StageFile, StageState
from buildhush.flow.symbols import display, is_below
from buildhush.flow.taint import Root, RootKind, Taint
from buildhush.knowledge.files import FileVerdict, classify_file

_ALWAYS = (MountedPath("/dev/shm", Storage.MEMORY, ""),)
# Images whose /bin/sh is bash, so that `$(< file)` and `&>` work there, by how their repository or namespace begins.
_BASH_AS_SH = ("fedora", "centos", "rockylinux", "almalinux", "amazonlinux", "oraclelinux", "ubi", "rhel", "opensuse")
_ORDER = (RootKind.MOUNT, RootKind.VARIABLE, RootKind.FILE, RootKind.UNREADABLE)
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh"))


class Origins(Struct, frozen=True):
    """What the roots of one RUN's taints mean: sources and the trail up to the start of the script."""

    run: Run
    view: StateView
    mounts: Mapping[str, Mount]
    environment_mounts: Mapping[str, Mount]
    files: Mapping[str, StageFile]

    def of(self, root: Root) -> tuple[tuple[Source, ...], tuple[Hop, ...]]:
        """Sources and trail of a root; empty when it means nothing here."""
        if root.kind is RootKind.MOUNT:
            mount = self.mounts.get(root.name) or self.environment_mounts.get(root.name)
            return ((), ()) if mount is None else self._mounted(mount)
        if root.kind is RootKind.VARIABLE:
            variable = self.view.variable(root.name)
            return ((), ()) if variable is None else (variable.sources, variable.trail)
        file = self.files.get(root.name)
        return ((), ()) if file is None else (file.sources, file.trail)

    def of_taints(
        self, taints: frozenset[Taint], hop: Callable[[Taint], tuple[Hop, ...]]
    ) -> tuple[tuple[Source, ...], tuple[Hop, ...]]:
        """Sources of all taints, and the whole trail of the first: a mount, else a variable, else a file, by name."""
        sources: dict[Source, None] = {}
        trail: tuple[Hop, ...] = ()
        for taint in sorted(taints, key=lambda taint: (_ORDER.index(taint.root.kind), taint.root.name)):
            found, before = self.of(taint.root)
            sources.update(dict.fromkeys(found))
            trail = trail or (*before, *hop(taint))
        return tuple(sources), trail

    def _mounted(self, mount: Mount) -> tuple[tuple[Source, ...], tuple[Hop, ...]]:
        place = Place(self.run, mount.flag.span)
        name = mount.id or ""
        source = Source(SourceKind.SECRET_MOUNT, name, Certainty.CERTAIN, "it is mounted as a secret", place)
        where = f"as `${mount.env}`" if mount.env and mount.target is None else f"at `{mount.target}`"
        return (source,), (Hop(place, f"secret `{name}` is mounted {where}"),)


def run_inputs(
    run: Run,
    view: StateView,
    files: tuple[InputFile, ...],
    sh_is_bash: bool,
    expand: Callable[[str], str],
    cache_files: Callable[[str], Mapping[str, StageFile]],
    stage_files: Callable[[str], Mapping[str, StageFile]],
    context_of: Callable[[str | None], ContextView | None],
) -> tuple[RunInputs, Origins]:
    """The inputs of a RUN. `files`: the state's secret files as inputs (made once per state).

    `sh_is_bash`: in the image that the stage is built on.

    `cache_files(id)`: secret files in that cache, by path relative to it. `stage_files(name)`: those of a stage, by
    absolute path, for `--mount=from=`. `context_of(name)`: the build context that a bind mount shows, the main one for
    None; None when nothing is known of it.
    """
    state = view.state
    variables: tuple[InputVariable, ...] = ()
    mounted: list[MountedPath] = list(_ALWAYS)
    secrets: dict[str, Mount] = {}
    environment: dict[str, Mount] = {}
    extra: dict[str, StageFile] = {}
    extra_inputs: list[InputFile] = []
    for mount in run.mounts:
        target = None
        if mount.target is not None:
            target = view.resolved(expand(mount.target))
        if mount.type == "secret" and mount.id is not None:
            if target is not None:
                mounted.append(MountedPath(target, Storage.SECRET, mount.id, _is_readable(mount, view)))
                secrets[mount.id] = mount
            if mount.env:
                environment[mount.id] = mount
                variables = (*variables, InputVariable(mount.env, None, Root(RootKind.MOUNT, mount.id)))
        elif target is not None and mount.type == "tmpfs":
            mounted.append(MountedPath(target, Storage.MEMORY, ""))
        elif target is not None and mount.type == "cache":
            identity = expand(mount.id or target)
            storage = Storage.DISCARDED if mount.readonly else Storage.CACHE
            mounted.append(MountedPath(target, storage, identity))
            for relative, file in cache_files(identity).items():
                _add(extra, extra_inputs, f"{target.rstrip('/')}/{relative}", file)
        elif target is not None and mount.type == "bind":
            mounted.append(MountedPath(target, Storage.DISCARDED, ""))
            for path, file in _bound(run, mount, target, expand, stage_files, context_of):
                _add(extra, extra_inputs, path, file)
    visible = _outside(files, mounted)
    inputs = RunInputs(
        state.folder,
        state.home,
        _shell_of(run, state.shell, sh_is_bash),
        tuple(mounted),
        state.variables,
        variables,
        (*visible, *extra_inputs) if extra_inputs else visible,
        state.scripts,
    )
    return inputs, Origins(run, view, secrets, environment, {**state.files, **extra} if extra else state.files)


def inputs_without_mounts(run: Run, state: StageState, files: tuple[InputFile, ...], sh_is_bash: bool) -> RunInputs:
    """The inputs of a RUN without mounts. `files`: those of `visible_without_mounts`."""
    return RunInputs(
        state.folder,
        state.home,
        _shell_of(run, state.shell, sh_is_bash),
        _ALWAYS,
        state.variables,
        (),
        files,
        state.scripts,
    )


def visible_without_mounts(files: tuple[InputFile, ...]) -> tuple[InputFile, ...]:
    """The secret files that a RUN without mounts sees: what every RUN has mounted hides the others."""
    return _outside(files, _ALWAYS)


def _outside(files: tuple[InputFile, ...], mounted: Sequence[MountedPath]) -> tuple[InputFile, ...]:
    """The files that no mount hides; the same tuple where all are, so that what is worked out for it is so once."""
    if not files:
        return files
    hides = {mount.path for mount in mounted}
    folders = tuple(path.rstrip("/") + "/" for path in hides)
    visible = tuple([file for file in files if file.path not in hides and not file.path.startswith(folders)])
    return files if len(visible) == len(files) else visible


def shell_options(words: tuple[str, ...]) -> ShellOptions:
    """What `SHELL [...]` or a `#!` line asks for."""
    if not words:
        return ShellOptions()
    name = posixpath.basename(words[0]).removesuffix(".exe")
    if name not in _SHELLS:
        return ShellOptions(is_posix=False)
    letters = "".join(word[1:] for word in words[1:] if word.startswith("-") and not word.startswith("--"))
    errexit = "e" in letters or "errexit" in words
    xtrace = "x" in letters or "xtrace" in words
    return ShellOptions(errexit, xtrace, "pipefail" in words, name == "bash")


def _is_readable(mount: Mount, view: StateView) -> bool:
    """Mode 0400 and uid 0 unless the mount says otherwise (FACTS.md section 3)."""
    return view.is_root or mount.uid is not None or mount.gid is not None or bool((mount.mode or 0) & 0o044)


def _shell_of(run: Run, shell: ShellOptions, sh_is_bash: bool) -> ShellOptions:
    if run.interpreter is not None:
        words = tuple(run.interpreter.split())
        if words and posixpath.basename(words[0]) == "env":
            words = tuple(word for word in words[1:] if word != "-S")
        return shell_options(words)
    if sh_is_bash and not shell.is_bash and shell.is_posix:
        return replace(shell, is_bash=True)
    return shell


@lru_cache(maxsize=256)
def links_sh_to_bash(base_image: str) -> bool:
    """Whether /bin/sh is bash in an image of that name."""
    if not any(name in base_image for name in _BASH_AS_SH):
        return False
    from dockerfile_parse.parser import image_from  # Importing it costs 10 ms, few images need it.

    image, _ = image_from(base_image)
    # The parts of the name without registry, tag and digest: `ubi9/ubi-minimal` of `registry/ubi9/ubi-minimal:9`.
    *folders, last = (image or "").split("/")
    parts = [*folders, last.partition("@")[0].partition(":")[0]]
    return any(part.startswith(_BASH_AS_SH) for part in parts)


def _add(files: dict[str, StageFile], inputs: list[InputFile], path: str, file: StageFile) -> None:
    files[path] = file
    inputs.append(InputFile(path, Root(RootKind.FILE, path)))


def _bound(
    run: Run,
    mount: Mount,
    target: str,
    expand: Callable[[str], str],
    stage_files: Callable[[str], Mapping[str, StageFile]],
    context_of: Callable[[str | None], ContextView | None],
) -> list[tuple[str, StageFile]]:
    source = expand(mount.source or "")
    place = Place(run, mount.flag.span)
    found: list[tuple[str, StageFile]] = []
    context = context_of(mount.from_stage)
    if mount.from_stage is not None:
        root = "/" + source.strip("/")
        found = [
            (target.rstrip("/") + path[len(root.rstrip("/")) :], file)
            for path, file in stage_files(mount.from_stage).items()
            if is_below(path, root)
        ]
        if context is None:
            return found
    verdict = classify_file(source) if source else None
    if verdict is None or not verdict.secret or verdict.kind == "folder of secrets":
        inside = sorted(files_below(mount, source, context), key=lambda path: not classify_file(path).certain)
        for path in inside[:MAX_FOLLOWED]:
            within = posixpath.join(target, relative_in(source, path))
            file = _of_context(mount, path, classify_file(path), within, place, context)
            found.append((within, replace(file, mounted_from=mount.from_stage or "")))
    elif context is None or context.exists(source) is not False:
        found.append((target, _of_context(mount, source, verdict, target, place, context)))
    return found


def files_below(mount: Mount, source: str, context: ContextView | None) -> tuple[str, ...]:
    """The secret files in the folder of the context that a bind mount shows, by their paths in the context."""
    if context is None or mount.type != "bind":
        return ()
    return tuple(path for path in context.secret_files_below(source or ".") if relative_in(source, path))


def _of_context(
    mount: Mount, path: str, verdict: FileVerdict, target: str, place: Place, context: ContextView | None
) -> StageFile:
    certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
    origin = Source(SourceKind.FILE, display(path), certainty, verdict.reason, place)
    where = context.place_of(display(path)) if context is not None else ""
    shown = context_shown(mount.from_stage or "", where)
    at = mount.target if not relative_in(mount.source or "", path) else display(target)
    hop = Hop(place, f"`{display(path)}` of {shown} is mounted at `{at}`")
    return StageFile(target, (origin,), (hop,), of_context=True)
