"""What holds between two instructions of a stage: variables, working folder, user, and files that hold secrets."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from buildhush.dockerfile.nodes import Assignment, Pair
from buildhush.flow.facts import Hop, Source
from buildhush.flow.inputs import InputFile, InputVariable, ShellOptions
from buildhush.flow.taint import Root, RootKind

# So many secret files of a stage are followed into later instructions; more are reported only where they are made.
MAX_FOLLOWED = 40


class StageVariable(Struct, frozen=True, gc=False):
    """An ARG or ENV in force. `text`: its value as far as it is known. `secrets`: what it carries, with the trail.

    `is_argument`: an ARG, which ends with its stage. `node`, `pair`: the declaration. `settable`: a build argument, or
    an ENV that is made of one: `text` holds unless the build is told otherwise.
    """

    name: str
    text: str | None
    is_argument: bool
    node: Assignment | None
    pair: Pair | None
    sources: tuple[Source, ...] = ()
    trail: tuple[Hop, ...] = ()
    settable: bool = False

    @property
    def input(self) -> InputVariable:
        """The variable as a RUN sees it."""
        root = Root(RootKind.VARIABLE, self.name) if self.sources else None
        return InputVariable(self.name, self.text, root, self.settable)


class StageFile(Struct, frozen=True, gc=False):
    """A file in the stage's layers (or a cache) that holds secrets. `trail` ends where it was last written.

    `of_context`: it was copied from the build context, so its own COPY reports it. `mounted_from`: the name of the
    context ("" for the main one) of which a folder is mounted that it lies in.
    """

    path: str
    sources: tuple[Source, ...]
    trail: tuple[Hop, ...]
    is_folder: bool = False
    hidden: bool = False
    of_context: bool = False
    mounted_from: str | None = None

    def as_input(self) -> InputFile:
        """The file as a RUN sees it."""
        return InputFile(self.path, Root(RootKind.FILE, self.path))


class StageState(Struct, frozen=True):
    """The state between two instructions. Immutable; an instruction that changes nothing gives the same object back.

    `folder`: WORKDIR, absolute. `user`: USER as written, None for the base image's own. `hidden` files were deleted by
    a later instruction: they stay in the stage's layers, and leave with `FROM stage` but not with `COPY --from`.
    `scripts`: known texts of script files, by path. `triggered`: the state behind the ONBUILD triggers so far.
    """

    folder: str = "/"
    user: str | None = None
    shell: ShellOptions = field(default_factory=ShellOptions)
    variables: Mapping[str, StageVariable] = field(default_factory=dict)
    files: Mapping[str, StageFile] = field(default_factory=dict)
    hidden: Mapping[str, StageFile] = field(default_factory=dict)
    scripts: tuple[tuple[str, str], ...] = ()
    triggered: StageState | None = None

    @property
    def home(self) -> str:
        """HOME of the user in force: an ENV HOME, root's, or the usual place of a named user."""
        variable = self.variables.get("HOME")
        if variable is not None and variable.text:
            return variable.text
        user = (self.user or "root").partition(":")[0]
        if user in ("root", "0", ""):
            return "/root"
        return f"/home/{user}"

    @property
    def is_root(self) -> bool:
        """Whether commands run as uid 0, as far as the file says."""
        return (self.user or "root").partition(":")[0] in ("root", "0", "")
