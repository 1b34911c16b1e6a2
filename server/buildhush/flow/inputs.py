"""What a RUN starts from: everything outside its own script that its summary depends on, as one comparable value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Protocol

from msgspec import Struct

from buildhush.flow.taint import Root

# What a script looked at besides single variables, under names that no variable can have: all variables, the folder
# that it starts in, and HOME as the shell knows it.
EVERYTHING = "\x01everything"
FOLDER = "\x01folder"
HOME_FOLDER = "\x01home"


class Storage(Enum):
    """What lies under a path while a RUN runs."""

    LAYER = "layer"
    CACHE = "cache"
    SECRET = "secret"  # A mounted secret file: reading gives the secret, writing fails.
    MEMORY = "memory"  # tmpfs mounts, /dev/shm: gone when the RUN ends.
    DISCARDED = "discarded"  # A bind mount: writes are thrown away (or fail).
    DEVICE = "device"  # /dev/null and its like.


class MountedPath(Struct, frozen=True, gc=False):
    """One mount of the RUN: absolute target, storage, and for a secret its id, for a cache its id.

    `readable` is False for a secret file that the USER in force can't open (mode 0400, uid 0).
    """

    path: str
    storage: Storage
    name: str
    readable: bool = True


class InputVariable(Struct, frozen=True, gc=False):
    """A variable that exists when the script starts; `text` None: not known. `root`: the secret that it carries.

    `settable`: `text` is what it is unless the build is told otherwise.
    """

    name: str
    text: str | None
    root: Root | None
    settable: bool = False


class InputFile(Struct, frozen=True, gc=False):
    """A file that holds a secret when the script starts (from an earlier instruction, a cache or a bind mount)."""

    path: str
    root: Root


class ShellOptions(Struct, frozen=True, gc=False):
    """How the shell was started: SHELL, a heredoc's `#!` line, or the default /bin/sh.

    `is_posix`: a shell that is read here; PowerShell, cmd and other interpreters are opaque. `is_bash`: `$(< file)`
    gives the file and `&>` redirects; in dash and busybox they do not (observed).
    """

    errexit: bool = False
    xtrace: bool = False
    pipefail: bool = False
    is_bash: bool = False
    is_posix: bool = True


class HasInput(Protocol):
    """A variable of the stage, which knows how a RUN sees it."""

    @property
    def input(self) -> InputVariable:
        """The variable as a RUN sees it."""


class RunInputs(Struct, frozen=True):
    """All that a RUN's summary depends on besides its script.

    `stage_variables`: ARG and ENV in force; `mounted_variables`: those of `env=` mounts, which win.
    """

    folder: str
    home: str
    shell: ShellOptions
    mounts: tuple[MountedPath, ...]
    stage_variables: Mapping[str, HasInput]
    mounted_variables: tuple[InputVariable, ...]
    files: tuple[InputFile, ...]
    scripts: tuple[tuple[str, str], ...] = ()

    def variable(self, name: str) -> InputVariable | None:
        """The variable of that name when the script starts."""
        for variable in self.mounted_variables:
            if variable.name == name:
                return variable
        found = self.stage_variables.get(name)
        return found.input if found is not None else None

    def variable_names(self) -> Iterator[str]:
        """All names that are set when the script starts."""
        yield from (variable.name for variable in self.mounted_variables)
        yield from self.stage_variables

    def storage_of(self, path: str) -> MountedPath | None:
        """The mount that a path lies on (the innermost); None for the stage's own file system."""
        best: MountedPath | None = None
        for mount in self.mounts:
            if (path == mount.path or path.startswith(mount.path.rstrip("/") + "/")) and (
                best is None or len(mount.path) > len(best.path)
            ):
                best = mount
        return best
