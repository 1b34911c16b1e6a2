"""COPY, ADD and FROM: secret files that come into a stage from the build context, a here-document or another stage."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase

from msgspec.structs import replace

from buildhush.dockerfile.nodes import Copy, From
from buildhush.dockerfile.stages import Stage
from buildhush.flow.declarations import config_step
from buildhush.flow.effects import Effect
from buildhush.flow.facts import (
    Area,
    Certainty,
    CopiedSecret,
    FileWrite,
    Hop,
    Place,
    Source,
    SourceKind,
    StageCrossing,
)
from buildhush.flow.scene import ContextView, Scene, StateView
from buildhush.flow.stage_state import StageFile, StageState
from buildhush.flow.step import Step
from buildhush.flow.symbols import covered_by, display, is_below, is_temporary
from buildhush.knowledge.files import classify_file, may_be_settings

# Of these, a file of another name that is copied there need not be one.
_NOT_BY_DESTINATION = ("folder of secrets", "settings with credentials")


def copy_step(scene: Scene, node: Copy, stage: Stage, view: StateView) -> Step:
    """COPY and ADD."""
    if node.destination is None:
        return Step()
    expanded = config_step(scene, node, stage, view)
    destination = scene.text(node.destination.text, view)
    name = node.from_stage.text if node.from_stage is not None else None
    context, may_be_stage = scene.context_of(name)
    origin = scene.stages.find(name, stage.index, by_number=True) if name is not None and may_be_stage else None
    if origin is not None:
        expanded = _copy_from(scene, node, stage, view, origin, destination, expanded)
    if name is None or context is not None:
        return _copy_context(scene, node, stage, view, destination, expanded, context, name or "")
    return expanded


def from_step(scene: Scene, node: From, stage: Stage, inherited: StageState) -> Step:
    """FROM an earlier stage: its files come along, those that were deleted in a later layer too."""
    files = [*inherited.files.values(), *inherited.hidden.values()]
    if not files or node.image is None or stage.base is None:
        return Step()
    place = Place(node, node.image.span)
    origin = _stage_name(scene.stages.stages[stage.base])
    return Step(crossings=(_crossing(node, stage, place, files, origin, inherited=True),))


def _copy_from(
    scene: Scene, node: Copy, stage: Stage, view: StateView, origin: Stage, destination: str, expanded: Step
) -> Step:
    there = scene.walked[origin.index].final.files
    if not there:
        return expanded
    name = _stage_name(origin)
    files: dict[str, StageFile] = {}
    carried: list[StageFile] = []
    place: Place | None = None
    excluded = [flag.value for flag in node.flags if flag.name == "exclude" and flag.value]
    several = len(node.sources) > 1 or destination.endswith("/")
    for word in node.sources:
        source = "/" + scene.text(word.text, view).strip("/")
        for path, file in there.items():
            relative = _below_source(path, source, is_folder=file.is_folder)
            if relative is None or any(_is_excluded(relative, pattern) for pattern in excluded):
                continue
            place = place or Place(node, word.span)
            target = _copied_path(destination, source, relative, several, view)
            hop = Hop(Place(node, word.span), f"`{path}` of stage `{name}` is copied")
            carried.append(file)
            files[target] = StageFile(target, file.sources, (*file.trail, hop), file.is_folder)
    if not carried or place is None:
        return expanded
    crossing = _crossing(node, stage, place, carried, name, inherited=False)
    return replace(expanded, effect=Effect(files=files), crossings=(crossing,))


def _crossing(
    node: Copy | From, stage: Stage, place: Place, files: list[StageFile], origin: str, *, inherited: bool
) -> StageCrossing:
    sources = tuple(dict.fromkeys(source for file in files for source in file.sources))
    what = "is inherited with all its layers" if inherited else "carries it on"
    trail = (*files[0].trail, Hop(place, f"stage `{origin}` {what}"))
    paths = tuple(file.path for file in files)
    return StageCrossing(node, stage, place, sources, paths, origin, inherited, (), trail)


def _copy_context(
    scene: Scene,
    node: Copy,
    stage: Stage,
    view: StateView,
    destination: str,
    expanded: Step,
    context: ContextView | None,
    name: str,
) -> Step:
    """What comes from a folder: the main context, or the additional one called `name`."""
    files: dict[str, StageFile] = dict(expanded.effect.files)
    copied: list[CopiedSecret] = []
    several = len(node.sources) > 1 or destination.endswith("/")
    for word in node.sources:
        source = scene.text(word.text, view)
        if "://" in source or source.startswith("git@"):
            continue
        verdict = classify_file(display(source))
        place = Place(node, word.span)
        through: tuple[str, ...] = ()
        is_folder = verdict.kind == "folder of secrets"
        if verdict.secret and not (context is not None and _is_no_secret_of(context, source)):
            names = [source]
            certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
            reason = verdict.reason
        else:
            through = context.secret_files_below(source) if context is not None else ()
            excluded = [flag.value for flag in node.flags if flag.name == "exclude" and flag.value]
            through = tuple(
                path
                for path in through
                if not any(_is_excluded(relative_in(source, path), pattern) for pattern in excluded)
            )
            if not through:
                is_listed = context is not None and context.exists(source)
                target_verdict = classify_file(display(destination)) if not several else None
                if len(node.sources) == 1 and not is_listed and _is_same_folder(source, destination):
                    target_verdict = classify_file(display(destination).rstrip("/"))
                    is_folder = True
                elif target_verdict is None or target_verdict.kind in _NOT_BY_DESTINATION:
                    continue
                if verdict.kind != "nothing" or not target_verdict.secret:
                    continue
                names, certainty, reason = [source], Certainty.LIKELY, target_verdict.reason
            else:
                names, certainty = list(through), Certainty.LIKELY
                reason = classify_file(through[0]).reason
        origin = Source(SourceKind.FILE, display(names[0]), certainty, reason, place)
        from_where = context.place_of(display(names[0])) if context is not None else ""
        hop = Hop(place, f"`{display(names[0])}` of {context_shown(name, from_where)} is copied")
        targets = [
            _copied_path(
                destination, "/" + source.removeprefix("./").lstrip("/"), relative_in(source, path), several, view
            )
            for path in names
        ]
        is_folder = is_folder and not through
        if is_folder:
            # A folder hands on its content, not itself.
            targets = [view.resolved(destination)]
        for target in targets:
            files[target] = StageFile(target, (origin,), (hop,), is_folder, of_context=True)
        copied.append(
            CopiedSecret(
                node,
                stage,
                place,
                origin,
                display(source),
                targets[0],
                through,
                (),
                None,
                (),
                (hop,),
                name,
                from_where,
                is_folder,
            )
        )
    writes = _heredoc_writes(scene, node, stage, view, destination, files)
    scripts = _heredoc_scripts(node, view, destination)
    if not copied and not writes and not scripts:
        return expanded
    return replace(expanded, effect=Effect(files=files, scripts=scripts), copied=tuple(copied), writes=writes)


def _is_same_folder(source: str, destination: str) -> bool:
    """`COPY ssh/ /root/.ssh/`: the folder of secrets itself, which the context keeps under a name without the dot."""
    name = posixpath.basename(destination.rstrip("/"))
    return name == f".{posixpath.basename(source.rstrip('/'))}" and classify_file(name).kind == "folder of secrets"


def context_shown(name: str, place: str) -> str:
    """A build context as messages name it. `name`: of an additional one; `place`: where it is, "" for the usual one."""
    shown = name or place
    return f"the build context `{shown}`" if shown else "the build context"


def _heredoc_scripts(node: Copy, view: StateView, destination: str) -> tuple[tuple[str, str], ...]:
    """COPY <<EOF of a shell script whose text is known: a later RUN may run it."""
    several = len(node.heredocs) + len(node.sources) > 1 or destination.endswith("/")
    return tuple(
        (_copied_path(destination, f"/{heredoc.name}", "", several, view), heredoc.body.text)
        for heredoc in node.heredocs
        if heredoc.body.text.startswith("#!") and (heredoc.quoted or "$" not in heredoc.body.text)
    )


def _heredoc_writes(
    scene: Scene,
    node: Copy,
    stage: Stage,
    view: StateView,
    destination: str,
    files: dict[str, StageFile],
) -> tuple[FileWrite, ...]:
    """COPY <<EOF: variables expand in the text unless the delimiter is quoted (FACTS.md section 2)."""
    writes: list[FileWrite] = []
    for heredoc in node.heredocs:
        inside = [
            found
            for found in scene.secret_references(node, view)
            if heredoc.body_span.start <= found[0].span.start < heredoc.body_span.end
        ]
        if not inside or heredoc.quoted:
            continue
        place, sources, trail = inside[0]
        several = len(node.heredocs) + len(node.sources) > 1 or destination.endswith("/")
        path = _copied_path(destination, f"/{heredoc.name}", "", several, view)
        trail = (*trail, Hop(place, f"is expanded into `{display(path)}`"))
        files[path] = StageFile(path, sources, trail)
        writes.append(
            FileWrite(
                node,
                stage,
                path,
                display(path),
                place,
                Place(node, heredoc.marker_span),
                sources,
                trail,
                Area.LAYER,
                None,
                None,
                is_temporary(path),
                None,
                None,
                None,
                False,
                False,
                True,
                (),
                None,
                None,
                key=path,
            )
        )
    return tuple(writes)


def _stage_name(stage: Stage) -> str:
    return stage.name or str(stage.index)


def _below_source(path: str, source: str, *, is_folder: bool) -> str | None:
    """The file's path below what a COPY source names ("" for itself), or None when it is not taken along."""
    if any(character in source for character in "*?["):
        if not covered_by(path, source):
            return None
        head = "/".join(path.split("/")[: source.count("/") + 1])
        return (
            posixpath.join(posixpath.basename(head), path[len(head) :].lstrip("/"))
            if head != path
            else posixpath.basename(path)
        )
    if is_below(path, source):
        return path[len(source.rstrip("/")) :].lstrip("/")
    if is_folder and is_below(source, path):
        return ""
    return None


def _copied_path(destination: str, source: str, relative: str, several: bool, view: StateView) -> str:
    """Where a COPY puts a file: into a folder named by a trailing slash (or `.`), else under the name given.

    A folder source hands on its content, not itself.
    """
    into = several or destination in (".", "./", "..") or destination.endswith(("/", "/."))
    base = view.resolved(destination)
    if relative:
        return posixpath.join(base, relative)
    name = posixpath.basename(source)
    if into and not any(character in name for character in "*?["):
        return posixpath.join(base, name)
    return base


def relative_in(source: str, name: str) -> str:
    """The path of a context file relative to the source that takes it along ("" when it is the source)."""
    folder = posixpath.normpath(source.lstrip("/") or ".")
    path = posixpath.normpath(name.lstrip("/"))
    if path == folder:
        return ""
    if folder == ".":
        return path
    if path.startswith(folder + "/"):
        return path[len(folder) + 1 :]
    return posixpath.basename(path)


def _is_no_secret_of(context: ContextView, source: str) -> bool:
    """Whether a file that is secret by its name stays out of the context, or holds settings as far as that can tell."""
    exists = context.exists(source)
    if exists is None or not exists:
        return exists is False
    return may_be_settings(source) and not context.secret_files_below(source)


def _is_excluded(relative: str, pattern: str) -> bool:
    return fnmatchcase(relative, pattern) or fnmatchcase(posixpath.basename(relative), pattern.lstrip("*/"))
