"""What a caller must do differently once a Dockerfile mounts a secret: pass it, and no longer pass the argument.

A repair is made in small steps, each on the file as the reader sees it after the one before, and ends when nothing is
left to do; so it is idempotent, and no step needs to know another. The result is a set of edits of the file as it was.
"""

from __future__ import annotations

import os
import re
from collections import abc
from collections.abc import Callable, Container, Iterable

from msgspec import Struct
from msgspec.structs import replace

from buildhush.companions import layout
from buildhush.companions.callers import Caller, CallerFile, CallerKind, PassedArgument, ValueKind
from buildhush.companions.commands import CommandLine
from buildhush.companions.compose import COMPOSE_NAMES
from buildhush.companions.hcl_reader import Block, ParsedHcl, read_hcl
from buildhush.companions.index import CallerIndex
from buildhush.companions.inline import placed
from buildhush.companions.readers import kind_of
from buildhush.companions.reading import Reading
from buildhush.companions.values import Mapping, Null, Pair, Parsed, Scalar, Sequence
from buildhush.companions.workflows import repository_of
from buildhush.companions.yaml_reader import read_yaml
from buildhush.rules.api import PassedSecret
from buildhush.text.difference import line_edits
from buildhush.text.spans import Edit, Span, apply, insertion

_MOST_STEPS = 12
# The builds of one Dockerfile in one file that are repaired; each is a step behind which the whole file is read again.
# Who has more is told what to pass.
MOST_REPAIRED = 50
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


class FileEdits(Struct, frozen=True):
    """The edits of one caller's file, disjoint, against its text in the index. `description`: what they do.

    `notes`: what the user must do or know besides.
    """

    path: str
    edits: tuple[Edit, ...]
    description: str
    notes: tuple[str, ...] = ()


def caller_edits(reading: Reading, dockerfile_path: str, passes: Iterable[PassedSecret]) -> tuple[FileEdits, ...]:
    """The edits of the files that build a Dockerfile, so that they pass `passes`. Unchanged files are left out.

    A file that lies upon another one is repaired after it, for what that one then passes it passes too. An argument
    that stands in a file that is only read along goes when nobody else is left who takes it from there. Every finding
    of a Dockerfile that has the same remedy asks for the same edits.
    """
    wanted = tuple(dict.fromkeys(passes))
    return reading.answer(("edits", dockerfile_path, wanted), lambda: _caller_edits(reading, dockerfile_path, wanted))


def _caller_edits(reading: Reading, dockerfile_path: str, wanted: tuple[PassedSecret, ...]) -> tuple[FileEdits, ...]:
    index = reading.index
    by_file: dict[str, list[Caller]] = {}
    for link in index.callers_of(dockerfile_path):
        by_file.setdefault(link.caller.file, []).append(link.caller)
    needed = reading.answer(("needed", dockerfile_path), lambda: _needed_by_others(index, dockerfile_path))
    texts: dict[str, str] = {}
    found: dict[str, FileEdits] = {}
    for path in sorted(by_file, key=lambda path: (_lies_upon(reading, path), path)):
        file = index.file(path)
        if file is None:
            continue
        edits = file_edits(reading, file, tuple(by_file[path]), wanted, texts, needed)
        if edits is not None:
            found[path] = edits
            texts[path] = apply(file.text, edits.edits)
    served: list[Caller] = []
    others: list[Caller] = []
    for path, callers in by_file.items():
        # A file that can't be read wholly stays as it is: what its builds take from another one must stay there too.
        is_served = path in found or _all_pass(reading, path, callers, wanted, texts)
        (served if is_served else others).extend(callers)
    for path, owner, name in _inherited(served, wanted) - _inherited(others, wanted) - needed:
        original = reading.text(path)
        text = texts.get(path, original)
        edit = None if text is None else _argument_taken_out(path, text, owner, name)
        if text is None or original is None or edit is None:
            continue
        users = [
            each for each in served if any(_written(each, one)[:2] == (path, owner) for one in each.inherited_args)
        ]
        files = {each.file for each in users}
        if _builds(reading, files, texts) != _builds(reading, files, {**texts, path: apply(text, (edit,))}):
            continue
        texts[path] = apply(text, (edit,))
        description = found[path].description if path in found else f"No longer pass `{name}`"
        notes = found[path].notes if path in found else ()
        found[path] = FileEdits(path, line_edits(original, texts[path]), description, notes)
    return tuple(found[path] for path in sorted(found))


def _all_pass(
    reading: Reading, path: str, callers: Iterable[Caller], passes: Iterable[PassedSecret], texts: abc.Mapping[str, str]
) -> bool:
    """Whether builds of a file pass secrets as the files are now."""
    file = reading.file(path, texts.get(path, reading.text(path) or ""), texts)
    now = {caller.key: caller for caller in file.callers} if file is not None else {}
    return all(caller.key in now and now[caller.key].passes(each.id) for caller in callers for each in passes)


_Written = tuple[str, str, str]
"""Where an argument is written: file, service or target, name."""


def _written(caller: Caller, argument: PassedArgument) -> _Written:
    return argument.written_in or caller.file, argument.owner, argument.name


def _needed_by_others(index: CallerIndex, dockerfile_path: str) -> frozenset[_Written]:
    """The arguments that callers of other Dockerfiles take from where they are written."""
    keys = {(link.caller.file, link.caller.key) for link in index.callers_of(dockerfile_path)}
    return frozenset(
        _written(caller, argument)
        for file in index.files
        if file.reads
        for caller in file.callers
        if (caller.file, caller.key) not in keys
        for argument in (*caller.build_args, *caller.inherited_args)
    )


def _inherited(callers: list[Caller], wanted: tuple[PassedSecret, ...]) -> set[_Written]:
    names = {passed.replaces_argument for passed in wanted}
    return {_written(each, argument) for each in callers for argument in each.inherited_args if argument.name in names}


def _lies_upon(reading: Reading, path: str) -> int:
    """0 for a file that stands by itself, 1 for one that reads others, 2 for an override, 3 for what runs those."""
    file = reading.index.file(path)
    if kind_of(path) not in ("compose", "bake"):
        return 3
    if ".override." in path:
        return 2
    return 1 if file is not None and any(reading.text(each) is not None for each in file.reads) else 0


def _argument_taken_out(path: str, text: str, owner: str, name: str) -> Edit | None:
    """The edit that takes an argument out of a file that others read along; None when it is not there any more.

    The file need not be one that builds: a service may extend one of any name.
    """
    if path.lower().endswith(".hcl"):
        block = _labelled(read_hcl(text), owner)
        edits = _hcl_argument_removed(text, block, name) if block is not None else []
        return edits[0] if edits else None
    parsed = read_yaml(text)
    root = parsed.root
    if root is None or parsed.problems:
        return None
    holder = root.mapping("target").mapping(owner)
    if kind_of(path) != "bake":
        holder = root.mapping("services").mapping(owner).mapping("build")
    args = holder.get("args")
    if isinstance(args, Mapping):
        spans = [pair.span for pair in args.own if pair.key.text == name]
    elif isinstance(args, Sequence):
        items = zip(args.items, args.item_spans, strict=True)
        spans = [span for item, span in items if isinstance(item, Scalar) and item.text.partition("=")[0] == name]
    else:
        spans = []
    edit = layout.entry_removed(text, layout.path_to(root, spans[0])) if spans else None
    if edit is None:
        return None
    owners = "target" if kind_of(path) == "bake" else "services"
    if _is_there(text, edit, owners, owner):
        return edit
    # What others extend must still be there, if only by its name.
    pair = root.mapping(owners).pair(owner)
    colon = text.find(":", pair.key.span.end) if pair is not None else -1
    if pair is None or colon < 0 or not isinstance(pair.value, Mapping) or pair.shared:
        return None
    end = layout.without_comments_behind(text, pair.span).end
    edit = Edit(Span(colon + 1, len(text[:end].rstrip())), " {}")
    return edit if _is_there(text, edit, owners, owner) else None


def _is_there(text: str, edit: Edit, owners: str, owner: str) -> bool:
    parsed = read_yaml(apply(text, [edit]))
    return parsed.root is not None and not parsed.problems and parsed.root.mapping(owners).get(owner) is not None


def _builds(reading: Reading, paths: Iterable[str], texts: abc.Mapping[str, str]) -> set[tuple[str, tuple[str, ...]]]:
    """What some files build, with other texts of files."""
    found = ((path, reading.file(path, texts.get(path, reading.text(path) or ""), texts)) for path in paths)
    return {(path, caller.key) for path, file in found if file is not None for caller in file.callers}


def _root(file: CallerFile | None) -> Mapping | None:
    """The mapping that a YAML or JSON file is."""
    return file.tree.root if file is not None and isinstance(file.tree, Parsed) else None


def _labelled(tree: ParsedHcl, name: str) -> Block | None:
    """The first block with that label."""
    return next((each for each in tree.blocks if each.labels and each.labels[0].text == name), None)


def inline_edits(
    reading: Reading, file: CallerFile, caller: Caller, dockerfile: str, passes: tuple[PassedSecret, ...]
) -> FileEdits | None:
    """The edits that give a caller another text of the Dockerfile in its file, and make it pass what that needs.

    None when the file can't be read wholly, or the text can't be written there so that the builder reads the same.
    """
    if file.problems:
        return None
    repair = _Repair(reading, file)
    now = repair.caller(caller.key)
    if now is None or now.inline is None:
        return None
    text = placed(now.inline, file.text, dockerfile)
    if text is None:
        return None
    repair.text = text
    then = repair.caller(caller.key)
    if then is None or then.inline is None or then.inline.text.rstrip("\n") != dockerfile.rstrip("\n"):
        return None
    for passed in passes:
        repair.run(caller, passed, (caller,))
    if not _holds(repair, file, (caller,), passes):
        return None
    edits = line_edits(file.text, repair.text)
    description = f"Change the Dockerfile of {caller.name}"
    return FileEdits(file.path, edits, description, tuple(dict.fromkeys(repair.notes))) if edits else None


def file_edits(
    reading: Reading,
    file: CallerFile,
    callers: tuple[Caller, ...],
    passes: tuple[PassedSecret, ...],
    texts: abc.Mapping[str, str] | None = None,
    needed: frozenset[_Written] = frozenset(),
) -> FileEdits | None:
    """The edits of one file. None when there is nothing to do, it can't be read wholly, or it has too many builds.

    `texts`: of files that were repaired before. `needed`: arguments that stay where they are written.
    """
    if file.problems or not 0 < len(callers) <= MOST_REPAIRED:
        return None
    repair = _Repair(reading, file, texts, needed)
    for passed in passes:
        # Who is extended comes first: what it passes then, those that extend it pass too.
        for caller in sorted(callers, key=lambda each: _takes_over(each, passed)):
            repair.run(caller, passed, callers)
    edits = line_edits(file.text, repair.text)
    if not edits or not _holds(repair, file, callers, passes):
        return None
    flags = ", ".join(f"`{passed.id}`" for passed in passes)
    names = ", ".join(dict.fromkeys(caller.name for caller in callers))
    return FileEdits(file.path, edits, f"Pass the secret {flags} in {names}", tuple(dict.fromkeys(repair.notes)))


def _takes_over(caller: Caller, passed: PassedSecret) -> bool:
    """Whether the argument that goes is another one's of the file."""
    argument = caller.argument(passed.replaces_argument) if passed.replaces_argument else None
    return argument is not None and argument.owner != caller.key[-1]


def _holds(repair: _Repair, file: CallerFile, callers: tuple[Caller, ...], passes: tuple[PassedSecret, ...]) -> bool:
    """Whether a repaired file still reads, passes all else as before, and leaves nothing to repair."""
    after = repair.now
    if after is None or after.problems:
        return False
    ids = {passed.id for passed in passes}
    arguments = {passed.replaces_argument for passed in passes}
    besides, before = _passed_besides(after, ids, arguments), _passed_besides(file, ids, arguments)
    # A service of which the file said nothing but the argument goes with it; another file says the rest.
    layers = {caller.key for caller in file.callers if caller.kind is CallerKind.COMPOSE and caller.build_args}
    if [each for each in before if each in besides or any(each[1:]) or each[0] not in layers] != besides:
        return False
    keys = {caller.key for caller in callers}
    repaired = tuple(caller for caller in after.callers if caller.key in keys)
    again = _Repair(repair.reading, after, repair.texts, repair.needed)
    for passed in passes:
        for caller in repaired:
            again.run(caller, passed, repaired)
    return again.text == repair.text


def _passed_besides(
    file: CallerFile, ids: Container[str], arguments: Container[str | None]
) -> list[tuple[object, ...]]:
    """The builds of a file with what each is passed, without some secrets and build arguments."""
    return [
        (
            caller.key,
            tuple(argument.name for argument in caller.build_args if argument.name not in arguments),
            tuple(secret.id for secret in caller.secrets if secret.id not in ids),
        )
        for caller in file.callers
    ]


def edits_without_argument(reading: Reading, file: CallerFile, caller: Caller, name: str) -> FileEdits | None:
    """The edits after which one caller no longer passes a build argument; None when it can't be taken out."""
    if file.problems:
        return None
    repair = _Repair(reading, file)
    repair.run(caller, PassedSecret("", replaces_argument=name), (caller,))
    edits = line_edits(file.text, repair.text)
    gone = (PassedSecret("", replaces_argument=name),)
    if not edits or not _holds(repair, file, (caller,), gone):
        return None
    return FileEdits(file.path, edits, f"No longer pass `{name}` in {caller.name}")


class _Task(Struct, frozen=True):
    """One secret for one caller, with where its value comes from, found before the argument goes."""

    passed: PassedSecret
    environment: str
    file: str | None
    argument: PassedArgument | None
    value: str | None
    may_remove: bool


class _Repair:
    def __init__(
        self,
        reading: Reading,
        file: CallerFile,
        texts: abc.Mapping[str, str] | None = None,
        needed: frozenset[_Written] = frozenset(),
    ) -> None:
        self.reading = reading
        self.path = file.path
        self.text = file.text
        self.root = reading.index.root_of(file.path)
        self.texts = texts or {}
        self.needed = needed
        self.notes: list[str] = []

    @property
    def now(self) -> CallerFile | None:
        """What the file says as far as it is repaired."""
        return self.read(self.text)

    def read(self, text: str) -> CallerFile | None:
        """What the file would say with that text."""
        return self.reading.file(self.path, text, self.texts)

    def has(self, path: str) -> bool:
        """Whether another file is there."""
        return path in self.texts or self.reading.text(path) is not None

    def run(self, before: Caller, passed: PassedSecret, together: tuple[Caller, ...]) -> None:
        caller = self.caller(before.key)
        if caller is None:
            return
        task = self.task(caller, passed, together)
        if passed.file is not None and task.file is None:
            return  # It can't be told where the caller has the file.
        original = self.text
        for _ in range(_MOST_STEPS):
            caller = self.caller(before.key)
            edits = None if caller is None else _STEPS[caller.kind](self, caller, task)
            if not edits:
                return
            try:
                self.text = apply(self.text, edits)
            except ValueError:
                return
        # A step that does not see its own effect would be made again and again: nothing is better than that.
        self.text = original

    def caller(self, key: tuple[str, ...]) -> Caller | None:
        file = self.now
        return None if file is None else next((each for each in file.callers if each.key == key), None)

    def task(self, caller: Caller, passed: PassedSecret, together: tuple[Caller, ...]) -> _Task:
        argument = caller.argument(passed.replaces_argument) if passed.replaces_argument else None
        environment = passed.environment or re.sub(r"\W", "_", passed.id).upper()
        value = None
        if argument is not None:
            environment = argument.environment or argument.name
            if argument.value_span is not None and argument.written_in is None:
                value = self.text[argument.value_span.start : argument.value_span.end]
            if argument.kind is ValueKind.LITERAL:
                self.notes.append(
                    f"The value of `{argument.name}` stood in the file: rotate it, and set the environment variable"
                )
        return _Task(
            passed, environment, self.file(caller, passed), argument, value, self.may_remove(argument, caller, together)
        )

    def file(self, caller: Caller, passed: PassedSecret) -> str | None:
        """A secret's file as the caller must write it; the Dockerfile names it in the build context."""
        if passed.file is None or os.path.isabs(passed.file):
            return passed.file
        if isinstance(caller.site, CommandLine):
            within = caller.site.context
        elif caller.context is None:
            within = None
        else:
            base = os.path.dirname(self.path)
            if caller.kind is CallerKind.WORKFLOW_ACTION:
                base = repository_of(self.path) if "/.github/" in self.path.replace("\\", "/") else self.root or base
            within = os.path.relpath(caller.context, base)
        return None if within is None else os.path.normpath(os.path.join(within, passed.file)).replace(os.sep, "/")

    def may_remove(self, argument: PassedArgument | None, caller: Caller, together: tuple[Caller, ...]) -> bool:
        """An argument that others use goes only when all of them are repaired."""
        if argument is None or _written(caller, argument) in self.needed:
            return argument is None
        if argument.written_in is not None or not (argument.shared or caller.key[-1] != argument.owner):
            return True
        file = self.now
        repaired = {each.key for each in together}
        users = (
            [each for each in file.callers if any(one.span == argument.span for one in each.build_args)] if file else []
        )
        return all(each.key in repaired for each in users)


def _argument(caller: Caller, task: _Task) -> PassedArgument | None:
    """The argument that is to go, when it stands in the caller's own file."""
    name = task.passed.replaces_argument
    argument = caller.argument(name) if name and task.may_remove else None
    return None if argument is None or argument.written_in is not None else argument


def _is_done(caller: Caller, task: _Task) -> bool:
    """Whether the secret is passed. A task without an id only takes the argument away."""
    return not task.passed.id or caller.passes(task.passed.id)


# Compose.


def _compose(repair: _Repair, caller: Caller, task: _Task) -> list[Edit]:
    text = repair.text
    root = _root(repair.now)
    if root is None:
        return []
    secret_id = task.passed.id
    if not _is_done(caller, task):
        edit = _compose_secret(text, root, caller, secret_id)
        return [edit] if edit else []
    passed = caller.secret(secret_id) if secret_id else None
    if passed is not None and not passed.defined:
        source = f"file: {task.file}" if task.file else f"environment: {task.environment}"
        edit = _compose_definition(text, root, secret_id, source)
        return [edit] if edit else []
    argument = _argument(caller, task)
    if argument is None:
        return []
    edit = layout.entry_removed(text, layout.path_to(root, argument.span))
    return [edit] if edit and _is_still_built(repair, apply(text, [edit]), argument.owner) else []


def _is_still_built(repair: _Repair, text: str, name: str) -> bool:
    """Whether a service is more than a name once an argument took its `build` along; compose refuses less."""
    root = _root(repair.read(text))
    service = Mapping((), Span(0, 0), False) if root is None else root.mapping("services").mapping(name)
    if any(service.get(key) is not None for key in ("build", "image", "extends", "provider")):
        return True
    folder, own = os.path.split(repair.path)
    below = [os.path.join(folder, each) for each in COMPOSE_NAMES if each != own.lower()]
    return own.lower() not in COMPOSE_NAMES and any(repair.has(each) for each in below)


def _compose_secret(text: str, root: Mapping, caller: Caller, secret_id: str) -> Edit | None:
    service = root.mapping("services").mapping(caller.key[1])
    pair = service.pair("build")
    if pair is None or (pair.shared and not isinstance(pair.value, Mapping)):
        return None
    build = pair.value
    if isinstance(build, Scalar):
        if service.flow:
            return Edit(build.span, f"{{context: {text[build.span.start : build.span.end]}, secrets: [{secret_id}]}}")
        indent = layout.column(text, pair.key.span.start)
        step = " " * layout.unit(text)
        newline = layout.newline_of(text)
        items = " " * layout.list_indent(text) + f"- {secret_id}"
        written = text[build.span.start : build.span.end]
        lines = [f"{step}context: {written}", f"{step}secrets:", f"{step}{items}"]
        body = newline.join(" " * indent + line for line in lines)
        end = text.find("\n", build.span.end)
        end = len(text) if end < 0 else end - 1 if text[end - 1 : end] == "\r" else end
        comment = text[build.span.end : end].rstrip()
        return Edit(Span(pair.key.span.end + 1, end), comment + newline + body)
    if not isinstance(build, Mapping):
        return None
    secrets = build.get("secrets")
    if isinstance(secrets, Sequence):
        return layout.item_behind(text, secrets, secret_id)
    if secrets is not None:
        return None
    lines = ["secrets:", " " * layout.list_indent(text) + f"- {secret_id}"]
    return layout.pair_behind(text, build, lines, f"secrets: [{secret_id}]")


def _compose_definition(text: str, root: Mapping, secret_id: str, source: str) -> Edit | None:
    step = " " * layout.unit(text)
    pair = root.pair("secrets")
    lines = [f"{secret_id}:", f"{step}{source}"]
    if pair is not None and isinstance(pair.value, Mapping) and pair.value.pairs:
        return layout.pair_behind(text, pair.value, lines, f"{secret_id}: {{{source}}}")
    if pair is not None and (isinstance(pair.value, Null) or not getattr(pair.value, "pairs", True)):
        newline = layout.newline_of(text)
        body = newline.join(["secrets:", *(step + line for line in lines)])
        return Edit(Span(pair.key.span.start, pair.span.end), body)
    if pair is not None or root.flow:
        return None
    last = root.own[-1].span.end
    blank = [] if "\n\n" not in text.replace("\r", "") and len(root.own) > 1 else [""]
    return layout.lines_behind(text, last, 0, [*blank, "secrets:", *(step + line for line in lines)])


# Bake.


def _bake(repair: _Repair, caller: Caller, task: _Task) -> list[Edit]:
    text = repair.text
    source = (
        f"type=file,id={task.passed.id},src={task.file}"
        if task.file
        else (f"type=env,id={task.passed.id},env={task.environment}")
    )
    owner = caller.key[1]
    if task.argument is not None and task.may_remove and task.argument.written_in is None:
        owner = task.argument.owner
    argument = _argument(caller, task)
    if repair.path.lower().endswith(".json"):
        root = _root(repair.now)
        body = root.mapping("target").get(owner) if root is not None else None
        if root is None or not isinstance(body, Mapping):
            return []
        if not _is_done(caller, task):
            edit = _attribute_item(text, body, f'"{source}"', json=True)
            return [edit] if edit else []
        if argument is None:
            return []
        edit = layout.entry_removed(text, layout.path_to(root, argument.span))
        return [edit] if edit else []
    tree = repair.now.tree if repair.now is not None else None
    block = _labelled(tree, owner) if isinstance(tree, ParsedHcl) else None
    if block is None:
        return []
    if not _is_done(caller, task):
        edit = _hcl_secret(text, block, f'"{source}"')
        return [edit] if edit else []
    return _hcl_argument_removed(text, block, argument.name) if argument is not None else []


def _attribute_item(text: str, body: Mapping, item: str, *, json: bool) -> Edit | None:
    secrets = body.get("secret")
    if isinstance(secrets, Sequence):
        return layout.item_behind(text, secrets, item)
    return None if secrets is not None else layout.pair_behind(text, body, [], f'"secret": [{item}]')


def _hcl_secret(text: str, block: Block, item: str) -> Edit | None:
    body = block.body
    secrets = body.get("secret")
    if isinstance(secrets, Sequence):
        return layout.item_behind(text, secrets, item)
    if secrets is not None or "\n" not in text[block.span.start : block.span.end]:
        return None
    if not body.pairs:
        start = layout.column(text, block.span.start)
        return layout.lines_behind(text, block.body.span.start, start + layout.unit(text), [f"secret = [{item}]"])
    anchor = body.pair("args") or body.pairs[-1]
    indent = layout.column(text, anchor.span.start)
    return layout.lines_behind(text, anchor.span.end, indent, [f"secret = [{item}]"])


def _hcl_argument_removed(text: str, block: Block, name: str) -> list[Edit]:
    args = block.body.pair("args")
    if args is None or not isinstance(args.value, Mapping):
        return []
    pair = args.value.pair(name)
    if pair is None:
        return []
    if len(args.value.pairs) == 1:
        edit = layout.attribute_removed(text, args)
    else:
        edit = layout.attribute_removed(text, pair) or layout.entry_removed(
            text, ((args.value, args.value.pairs.index(pair)),)
        )
    return [edit] if edit else []


# GitHub workflows.


def _action(repair: _Repair, caller: Caller, task: _Task) -> list[Edit]:
    text = repair.text
    if not isinstance(caller.site, tuple):
        return []
    step, inputs = caller.site
    if caller.key[0] == "bake":
        return _bake_action(repair, caller, task, step, inputs)
    if not _is_done(caller, task):
        edit = _list_entry(text, step, inputs, *_workflow_secret(repair, task))
        return [edit] if edit else []
    argument = _argument(caller, task)
    pair = inputs.pair("build-args")
    if argument is None or pair is None or not isinstance(pair.value, Scalar):
        return []
    edit = _list_line_removed(text, inputs, pair, argument)
    return [edit] if edit else []


def _bake_action(repair: _Repair, caller: Caller, task: _Task, step: Mapping, inputs: Mapping) -> list[Edit]:
    text = repair.text
    argument, passed = _argument(caller, task), caller.secret(task.passed.id) if task.passed.id else None
    pair = inputs.pair("set")
    # The bake file has to pass the secret; here only the argument goes.
    if argument is None or pair is None or not isinstance(pair.value, Scalar) or not _is_done(caller, task):
        return []
    edits: list[Edit] = []
    if argument.kind is ValueKind.EXPRESSION and passed is not None and task.value is not None:
        prepared = _step_environment(text, step, passed.environment or task.environment, task.value, "uses")
        if prepared is None:
            return []
        edits = prepared
    edit = _list_line_removed(text, inputs, pair, argument)
    return [*edits, edit] if edit else []


def _list_line_removed(text: str, inputs: Mapping, pair: Pair, argument: PassedArgument) -> Edit | None:
    """Takes an entry out of an input that is a list, one a line; the last one goes with the input."""
    assert isinstance(pair.value, Scalar)
    if len([line for line in pair.value.text.split("\n") if line.strip()]) == 1:
        return layout.entry_removed(text, ((inputs, inputs.own.index(pair)),)) if len(inputs.own) > 1 else None
    if pair.value.style != "block":
        return None
    start = layout.line_start(text, argument.span.start)
    return Edit(Span(start, layout.next_line(text, argument.span.end)), "")


def _workflow_secret(repair: _Repair, task: _Task) -> tuple[str, str]:
    secret_id = task.passed.id
    if task.file:
        return "secret-files", f"{secret_id}={task.file}"
    if task.argument is None:
        return "secrets", f"{secret_id}=${{{{ secrets.{task.environment} }}}}"
    if task.argument.kind is ValueKind.EXPRESSION and task.value is not None:
        return "secrets", f"{secret_id}={task.value}"
    return "secret-envs", f"{secret_id}={task.environment}"


def _list_entry(text: str, step: Mapping, inputs: Mapping, key: str, entry: str) -> Edit | None:
    """Adds an entry to an input that is a list, one a line."""
    inner = " " * layout.unit(text)
    pair = inputs.pair(key)
    if pair is None:
        if step.pair("with") is None:
            return layout.pair_behind(text, step, ["with:", f"{inner}{key}: |", f"{inner}{inner}{entry}"], "")
        if inputs.flow or not inputs.own:
            return None
        return layout.pair_behind(text, inputs, [f"{key}: |", f"{inner}{entry}"], "")
    value = pair.value
    if isinstance(value, Scalar) and value.style == "block" and value.text.strip():
        last = value.content.source_offset(len(value.text.rstrip()) - 1)
        first = value.content.source_offset(len(value.text) - len(value.text.lstrip()))
        return layout.lines_behind(text, last, layout.column(text, first), [entry])
    # Rewriting the entry puts its value into the edit, so it must be none that is written out.
    is_shown = key != "secrets" or "${{" in getattr(value, "text", "")
    if (
        isinstance(value, Scalar)
        and value.style == "plain"
        and is_shown
        and "\n" not in text[value.span.start : value.span.end]
    ):
        newline = layout.newline_of(text)
        lead = newline + " " * (layout.column(text, pair.key.span.start)) + inner
        return Edit(value.span, "|" + lead + value.text + lead + entry)
    return None


# Command lines.


def _command(repair: _Repair, caller: Caller, task: _Task) -> list[Edit]:
    site = caller.site
    if not isinstance(site, CommandLine):
        return []
    text = repair.text
    name = task.passed.replaces_argument
    where = next((each for each in site.arguments if each[0] == name), None) if name else None
    done = _is_done(caller, task)
    edits: list[Edit] = []
    if done and where is None:
        return []
    if done and where is not None:
        if site.delegates and task.argument is not None and _is_value_elsewhere(caller, task):
            passed = caller.secret(task.passed.id)
            name = passed.environment if passed is not None and passed.environment else task.environment
            prepared = _prepared(repair, caller, site, replace(task, environment=name))
            if prepared is None:
                return []
            edits += prepared
        edit = _words_removed(text, site, where)
        return [*edits, edit] if edit else []
    if site.delegates:
        # The file that describes the build has to pass the secret.
        return []
    secret_id = task.passed.id
    option = f"--secret id={secret_id}," + (f"src={task.file}" if task.file else f"env={task.environment}")
    if task.argument is not None and task.argument.kind is ValueKind.EXPRESSION and not task.file:
        prepared = _prepared(repair, caller, site, task)
        if prepared is None:
            return []
        edits += prepared
    if where is None:
        return [*edits, insertion(site.script.source_offset(site.after_verb - 1) + 1, f" {option}")]
    start, end = site.script.source_offset(where[1]), site.script.source_offset(where[2] - 1) + 1
    return [*edits, Edit(Span(start, end), option)]


def _prepared(repair: _Repair, caller: Caller, site: CommandLine, task: _Task) -> list[Edit] | None:
    """What puts the value into the environment of the build command."""
    value, text = task.value, repair.text
    assert task.argument is not None
    if value is None:
        return []
    expression = re.fullmatch(r"\$\{\{.*\}\}", value)
    if caller.kind is CallerKind.WORKFLOW_RUN and "${{" in value:
        step = _step_of(repair.now, caller)
        if step is None or expression is None:
            return None
        return _step_environment(text, step, task.environment, value, "run")
    if site.elevated:
        # sudo hands its own environment on, not ours.
        return None
    word = value if value[:1] in "\"'" or _PLAIN.fullmatch(value) else f'"{value}"'
    return [insertion(site.script.source_offset(site.first), f"{task.environment}={word} ")]


def _is_value_elsewhere(caller: Caller, task: _Task) -> bool:
    """Whether an argument's value is not what the environment has under the name that the secret is taken from."""
    passed = caller.secret(task.passed.id) if task.passed.id else None
    if task.argument is None or passed is None or passed.environment is None:
        return False
    if task.argument.kind is ValueKind.EXPRESSION:
        return True
    return task.argument.kind is ValueKind.ENVIRONMENT and task.argument.environment != passed.environment


def _step_environment(text: str, step: Mapping, name: str, value: str, before: str) -> list[Edit] | None:
    """What puts a variable into the environment of a step, in front of one of its keys."""
    environment = step.get("env")
    if isinstance(environment, Mapping):
        if environment.get(name) is not None:
            return []
        edit = layout.pair_behind(text, environment, [f"{name}: {value}"], f'{name}: "{value}"')
        return [edit] if edit else None
    key = step.pair(before)
    if environment is not None or step.flow or key is None:
        return None
    lines = ["env:", " " * layout.unit(text) + f"{name}: {value}"]
    at = layout.line_start(text, key.key.span.start)
    indent = layout.column(text, step.span.start)
    if text[at : key.key.span.start].strip():
        return [layout.lines_behind(text, step.span.end, indent, lines)]
    newline = layout.newline_of(text)
    return [insertion(at, "".join(" " * indent + line + newline for line in lines))]


def _step_of(file: CallerFile | None, caller: Caller) -> Mapping | None:
    root = _root(file)
    if root is None:
        return None
    _, job, number, *_ = caller.key
    body = root.mapping("jobs").mapping(job) if job else root.mapping("runs")
    steps = body.get("steps")
    step = steps.items[int(number)] if isinstance(steps, Sequence) and int(number) < len(steps.items) else None
    return step if isinstance(step, Mapping) else None


def _words_removed(text: str, site: CommandLine, where: tuple[str, int, int, int]) -> Edit | None:
    """Takes an option out: with its line when it has one, else with the blanks in front of it."""
    _, start, end, before = where
    start, end = site.script.source_offset(start), site.script.source_offset(end - 1) + 1
    first, following = layout.line_start(text, start), layout.next_line(text, end)
    alone = not text[first:start].strip()
    if alone and re.fullmatch(r"[ \t]*\\\r?\n", text[end:following]):
        return Edit(Span(first, following), "")
    return Edit(Span(site.script.source_offset(before - 1) + 1, end), "")


_STEPS: dict[CallerKind, Callable[[_Repair, Caller, _Task], list[Edit]]] = {
    CallerKind.COMPOSE: _compose,
    CallerKind.BAKE: _bake,
    CallerKind.WORKFLOW_ACTION: _action,
    CallerKind.WORKFLOW_RUN: _command,
    CallerKind.GITLAB: _command,
    CallerKind.SCRIPT: _command,
    CallerKind.MAKEFILE: _command,
}
