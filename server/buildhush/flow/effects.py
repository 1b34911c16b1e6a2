"""What an instruction does to the state of its stage, what it looks at of it, and the difference between two states.

They are what an edit is followed with: a difference that an instruction does not look at leaves it as it was, and its
effect on the new state is the one that it had on the old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from msgspec import Struct, field

from buildhush.flow.inputs import EVERYTHING, FOLDER, HOME_FOLDER, ShellOptions
from buildhush.flow.layered import Layered
from buildhush.flow.stage_state import MAX_FOLLOWED, StageFile, StageState, StageVariable
from buildhush.flow.symbols import covered_by, literal_head

# Names for what is no variable, among those that an instruction looks at. No variable can be called so.
USER = "\x01user"
SHELL = "\x01shell"
TRIGGERED = "\x01triggered"
WHOLE_STATE = "\x01whole state"
_NO_VARIABLES = frozenset((EVERYTHING, FOLDER, HOME_FOLDER, USER, SHELL, TRIGGERED))


class Effect(Struct, frozen=True):
    """A change of a `StageState`. None, or empty: that part stays as it is.

    `removed`: paths that leave `files` before those of `files` are put in; `hidden`, `scripts`: what is added.
    `makes`: how many secret files a RUN makes, those that are not followed because there are too many included.
    """

    variables: Mapping[str, StageVariable] = field(default_factory=dict)
    files: Mapping[str, StageFile] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    hidden: Mapping[str, StageFile] = field(default_factory=dict)
    folder: str | None = None
    user: str | None = None
    shell: ShellOptions | None = None
    scripts: tuple[tuple[str, str], ...] = ()
    triggered: StageState | None = None
    makes: int = 0

    def applied(self, state: StageState) -> StageState:
        """The state behind it."""
        if self is NO_EFFECT or not self._changes_something():
            return state
        files = state.files
        if self.files or self.removed:
            kept = {path: file for path, file in files.items() if path not in self.removed} if self.removed else files
            files = {**kept, **self.files}
        return StageState(
            self.folder if self.folder is not None else state.folder,
            self.user if self.user is not None else state.user,
            self.shell or state.shell,
            Layered(self.variables, state.variables) if self.variables else state.variables,
            files,
            {**state.hidden, **self.hidden} if self.hidden else state.hidden,
            (*state.scripts, *self.scripts) if self.scripts else state.scripts,
            self.triggered or state.triggered,
        )

    def _changes_something(self) -> bool:
        if self.variables or self.files or self.removed or self.hidden or self.scripts:
            return True
        return not (self.folder is None and self.user is None and self.shell is None and self.triggered is None)


NO_EFFECT = Effect()


def merged(effects: Iterable[Effect]) -> Effect:
    """The one effect that does what these do, one after the other."""
    given = [effect for effect in effects if effect is not NO_EFFECT]
    if len(given) < 2:
        return given[0] if given else NO_EFFECT
    variables: dict[str, StageVariable] = {}
    files: dict[str, StageFile] = {}
    removed: set[str] = set()
    hidden: dict[str, StageFile] = {}
    scripts: tuple[tuple[str, str], ...] = ()
    folder = user = shell = triggered = None
    makes = 0
    for effect in given:
        variables.update(effect.variables)
        for path in effect.removed:
            files.pop(path, None)
            removed.add(path)
        files.update(effect.files)
        hidden.update(effect.hidden)
        scripts += effect.scripts
        folder = effect.folder if effect.folder is not None else folder
        user = effect.user if effect.user is not None else user
        shell = effect.shell or shell
        triggered = effect.triggered or triggered
        makes += effect.makes
    return Effect(variables, files, frozenset(removed), hidden, folder, user, shell, scripts, triggered, makes)


class Looks(Struct, frozen=True, eq=False):
    """What of the state an instruction, or several, look at: variables and the names above, paths, and globs."""

    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    globs: frozenset[str] = frozenset()
    _above: set[str] = field(default_factory=set)

    def concern(self, delta: Delta) -> bool:
        """Whether something that has changed is looked at."""
        if not self.names.isdisjoint(delta.names) or WHOLE_STATE in self.names:
            return True
        if not delta.paths:
            return False
        if self.paths:
            at_or_above, folders = _surroundings(delta.paths)
            if not self.paths.isdisjoint(at_or_above) or self._lie_below(delta.paths, folders):
                return True
        return bool(self.globs) and self._cover_any(delta.paths)

    def _lie_below(self, paths: frozenset[str], folders: tuple[str, ...]) -> bool:
        """Whether a path that is looked at lies below one of these."""
        if len(self.paths) <= _FEW:
            return any(asked.startswith(folders) for asked in self.paths)
        if not self._above:
            self._above.update(above for asked in self.paths for above in _folders_above(asked))
        return not self._above.isdisjoint(paths)

    def _cover_any(self, paths: frozenset[str]) -> bool:
        """Whether a glob covers one of these."""
        heads = _heads(self.globs)
        return any(covered_by(path, glob) for path in paths if path.startswith(heads) for glob in self.globs)


_FEW = 16


@lru_cache(maxsize=64)
def _surroundings(paths: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The paths and all folders above them; and the paths as folders, with a slash behind."""
    above = frozenset(folder for path in paths for folder in _folders_above(path))
    return paths | above, tuple(path if path.endswith("/") else path + "/" for path in paths)


@lru_cache(maxsize=64)
def _heads(globs: frozenset[str]) -> tuple[str, ...]:
    """What every path begins with that one of the globs covers."""
    return tuple([literal_head(glob) for glob in globs])


def together(many: Iterable[Looks]) -> Looks:
    """All that these look at."""
    names: set[str] = set()
    paths: set[str] = set()
    globs: set[str] = set()
    for looks in many:
        names |= looks.names
        paths |= looks.paths
        globs |= looks.globs
    return Looks(frozenset(names), frozenset(paths), frozenset(globs))


def _folders_above(path: str) -> Iterator[str]:
    while True:
        cut = path.rfind("/")
        if cut < 0 or path == "/":
            return
        path = path[:cut] or "/"
        yield path


class Delta(Struct, frozen=True):
    """In what two states differ: variables (and the names above), and paths of secret files and scripts."""

    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.paths)

    def behind(self, old: Effect, new: Effect) -> Delta:
        """How the states differ behind the effects `old` of the one and `new` of the other."""
        if old is new:
            if not self.names or not (old.variables or old.folder or old.user or old.shell):
                return self
            names = set(self.names).difference(old.variables)
        else:
            changed = difference(old, new)
            same = old.variables.keys() & new.variables.keys()
            names = set(self.names).difference(same) | changed.names
            return Delta(_consistent(names), self.paths | changed.paths)
        # Both states have the same folder, user or shell behind an instruction that sets it.
        names -= {
            name for name, value in ((FOLDER, old.folder), (USER, old.user), (SHELL, old.shell)) if value is not None
        }
        return Delta(_consistent(names), self.paths)

    def may_be_gone_behind(self, effect: Effect) -> bool:
        """Whether an effect on both states may leave less of it than `behind` says."""
        if HOME_FOLDER in self.names and (effect.user is not None or "HOME" in effect.variables):
            return True
        return any(path in effect.files or path in effect.removed or path in effect.hidden for path in self.paths)


NO_DELTA = Delta()


def difference(old: Effect, new: Effect) -> Delta:
    """In what the states behind two effects on one state may differ."""
    if old is new:
        return NO_DELTA
    names = {name for name in (*old.variables, *new.variables) if old.variables.get(name) != new.variables.get(name)}
    if old.folder != new.folder:
        names.add(FOLDER)
    if old.user != new.user:
        names |= {USER, HOME_FOLDER}
    if old.shell != new.shell:
        names.add(SHELL)
    if old.triggered is not new.triggered:
        names.add(TRIGGERED)
    paths = {
        path
        for path in (*old.files, *new.files, *old.removed, *new.removed, *old.hidden, *new.hidden)
        if old.files.get(path) != new.files.get(path)
        or (path in old.removed) != (path in new.removed)
        or old.hidden.get(path) != new.hidden.get(path)
    }
    if old.scripts != new.scripts:
        paths |= {path for path, _ in (*old.scripts, *new.scripts)}
    return Delta(_consistent(names), frozenset(paths))


def between(old: StageState, new: StageState) -> Delta:
    """In what two states differ; as long as both are."""
    if old is new:
        return NO_DELTA
    names = {name for name in (*old.variables, *new.variables) if old.variables.get(name) != new.variables.get(name)}
    names |= {
        name
        for name, differs in (
            (FOLDER, old.folder != new.folder),
            (USER, old.user != new.user),
            (HOME_FOLDER, old.home != new.home),
            (SHELL, old.shell != new.shell),
            (TRIGGERED, old.triggered is not new.triggered),
        )
        if differs
    }
    paths = {
        path
        for path in (*old.files, *new.files, *old.hidden, *new.hidden)
        if old.files.get(path) != new.files.get(path) or old.hidden.get(path) != new.hidden.get(path)
    }
    if old.scripts != new.scripts:
        paths |= {path for path, _ in (*old.scripts, *new.scripts)}
    return Delta(_consistent(names), frozenset(paths))


def same_files(old: StageState, new: StageState) -> bool:
    """Whether two states hold the same secret files and scripts, in the same order."""
    return (
        list(old.files) == list(new.files)
        and old.files == new.files
        and list(old.hidden) == list(new.hidden)
        and old.hidden == new.hidden
        and old.scripts == new.scripts
    )


def counts_matter(old: StageState, new: StageState, effect: Effect, delta: Delta) -> bool:
    """Whether an instruction that makes secret files would keep others of them, because one state holds too many."""
    before, now = len(old.files), len(new.files)
    if not effect.makes or max(before, now) + effect.makes + len(effect.files) < MAX_FOLLOWED:
        return False
    return before != now or not delta.paths.isdisjoint(effect.files)


def _consistent(names: set[str]) -> frozenset[str]:
    if "HOME" in names or USER in names:
        names.add(HOME_FOLDER)
    if names <= _NO_VARIABLES:
        names.discard(EVERYTHING)
    else:
        names.add(EVERYTHING)
    return frozenset(names)
