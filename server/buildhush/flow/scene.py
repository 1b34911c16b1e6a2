"""What the step of an instruction may look at: the state in front of it, and what stands around its stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct, field

from buildhush.dockerfile.expansion import expand
from buildhush.dockerfile.nodes import Assignment, Dockerfile, Instruction, Pair
from buildhush.dockerfile.stages import Stage, StageGraph
from buildhush.dockerfile.values import references
from buildhush.flow.effects import USER
from buildhush.flow.facts import Hop, Place, Source, TaintedWord
from buildhush.flow.inputs import FOLDER, HOME_FOLDER, InputFile, RunInputs
from buildhush.flow.stage_state import StageFile, StageState, StageVariable
from buildhush.flow.symbols import bounded, resolve, symbol
from buildhush.knowledge.commands import CommandKnowledge

Found = tuple[Place, tuple[Source, ...], tuple[Hop, ...]]
"""A reference to a secret variable: where it stands, what it carries, and the trail up to here."""


class ContextView(Protocol):
    """What the flow asks of the build context; None in its place means that nothing is known of it.

    What an object said is taken to hold as long as it is asked: where the folder has changed, there is another object.
    """

    def secret_files_below(self, source: str) -> tuple[str, ...]:
        """Secret-looking files that a COPY of `source` takes along, relative to the context root."""

    def exists(self, path: str) -> bool | None:
        """Whether the context has that file; None when unknown."""

    def place_of(self, path: str) -> str:
        """Which folder has the file, as seen from the Dockerfile's folder; "" when it is that one."""

    def named(self, name: str) -> NamedContext | None:
        """What callers give the name in `COPY --from=NAME`; None when they give it nothing."""


class NamedContext(Struct, frozen=True):
    """An additional context. `view`: its folders, None when it is none of this machine (an image, another target).

    `always`: so it is in every known build, none takes the name for a stage or an image.
    """

    view: ContextView | None
    always: bool


class Counts(Struct):
    """What an analysis had to make anew: scripts read, summaries of RUNs, and steps of instructions."""

    scripts_read: int = 0
    summaries_made: int = 0
    steps_made: int = 0


class Ended(Protocol):
    """A stage whose end is known."""

    @property
    def final(self) -> StageState:
        """The state in which it ends."""


class Scene(Struct):
    """What holds for all instructions of one version.

    `globals`: the ARGs before the first FROM; `walked`: the stages so far; `caches`: secret
    files in cache mounts so far, by the cache's id and the path in it. `sh_is_bash`: so it is in the image that the
    current stage is built on. `plain_inputs`, `input_files`: what the RUNs of one state share, for the last state.
    """

    tree: Dockerfile
    stages: StageGraph
    commands: Mapping[str, CommandKnowledge]
    context: ContextView | None
    secret_name: Callable[[str], bool | None]
    globals: Mapping[str, tuple[Assignment, Pair]] = field(default_factory=dict)
    walked: list[Ended] = field(default_factory=list)
    caches: dict[str, dict[str, StageFile]] = field(default_factory=dict)
    sh_is_bash: bool = False
    counts: Counts = field(default_factory=Counts)
    plain_inputs: tuple[StageState, RunInputs] | None = None
    input_files: tuple[Mapping[str, StageFile], tuple[InputFile, ...], tuple[InputFile, ...]] | None = None

    def files_of(self, name: str, stage: Stage) -> Mapping[str, StageFile]:
        """The secret files of an earlier stage, for a mount of `stage`."""
        origin = self.stages.find(name, stage.index)
        return self.walked[origin.index].final.files if origin is not None else {}

    def context_of(self, from_stage: str | None) -> tuple[ContextView | None, bool]:
        """The context that a COPY or a mount takes from, and whether the name may also be a stage or an image."""
        if from_stage is None:
            return self.context, False
        named = self.context.named(from_stage) if self.context is not None else None
        return (None, True) if named is None else (named.view, not named.always)

    def secret_references(self, node: Instruction, view: StateView) -> list[Found]:
        """The variables with a secret that an instruction's words expand."""
        if "$" not in node.text:
            return []
        found: list[Found] = []
        for reference in references(node, self.tree.escape):
            variable = view.variable(reference.name)
            if variable is not None and variable.sources:
                found.append((Place(node, reference.span), variable.sources, variable.trail))
        return found

    def text(self, word: str, view: StateView) -> str:
        """A word with variables replaced; what is not known becomes a symbol."""
        if "$" not in word and '"' not in word and "'" not in word and self.tree.escape not in word:
            return word
        return bounded(expand(word, _KnownTexts(view), self.tree.escape).value or "", "…")


class StateView:
    """The state in front of an instruction; writes down in `names` what of it is looked at, files left out."""

    __slots__ = ("names", "state")

    def __init__(self, state: StageState) -> None:
        self.state = state
        self.names: set[str] = set()

    def variable(self, name: str) -> StageVariable | None:
        """The variable of that name."""
        self.names.add(name)
        return self.state.variables.get(name)

    def resolved(self, path: str) -> str:
        """The absolute path that a word of an instruction means."""
        if not path.startswith("/"):
            self.names.add(FOLDER)
        # Only a shell knows `~`: in WORKDIR, COPY and mounts it is a folder of that name (seen in builds).
        return resolve(f"./{path}" if path.startswith("~") else path, self.state.folder, self.state.home)

    @property
    def home(self) -> str:
        """The home folder of the user in force."""
        self.names.add(HOME_FOLDER)
        return self.state.home

    @property
    def user(self) -> str | None:
        """USER as written."""
        self.names.add(USER)
        return self.state.user

    @property
    def is_root(self) -> bool:
        """Whether commands run as uid 0."""
        self.names.add(USER)
        return self.state.is_root


class _KnownTexts(Mapping[str, str]):
    """The texts of the variables, a symbol where one is not known."""

    __slots__ = ("_view",)

    def __init__(self, view: StateView) -> None:
        self._view = view

    def __getitem__(self, name: str) -> str:
        variable = self._view.variable(name)
        if variable is None:
            raise KeyError(name)
        return variable.text if variable.text is not None else symbol(f"${name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.state.variables)

    def __len__(self) -> int:
        return len(self._view.state.variables)


def as_words(found: list[Found]) -> tuple[TaintedWord, ...]:
    """References as words that carry a secret."""
    return tuple([TaintedWord(place, "variable", sources[0]) for place, sources, _ in found])
