"""What the options of `RUN --mount` mean, for hover and completion.

Source: BuildKit's instructions and dockerfile2llb packages.
"""

from __future__ import annotations

MOUNT_TYPES = {
    "secret": "A secret of the caller, as a file in memory or a variable, for this RUN only",
    "ssh": "The caller's SSH agent, for this RUN only",
    "cache": "A folder that later builds on the same builder get again",
    "bind": "Files of the build context or of a stage, without copying them",
    "tmpfs": "A folder in memory, for this RUN only",
}

_READONLY = "Nothing can be written to the mount"
_READWRITE = "Writing is allowed; what is written is thrown away after the RUN"
_UID = "Owner's user id; default 0"
_GID = "Owner's group id; default 0"

MOUNT_OPTIONS: dict[str, dict[str, str]] = {
    "secret": {
        "id": "The name under which the caller passes the secret (`--secret id=…`); default: the last part of `target`",
        "env": "Hand the secret over in this environment variable; without `target` there is then no file. "
        "Needs Dockerfile frontend 1.10 or newer",
        "target": "Where the file is; default `/run/secrets/` and the id",
        "required": "Fail when the caller does not pass the secret; default: no, and the file is then missing",
        "mode": "Permissions of the file, in octal; default 0400",
        "uid": _UID,
        "gid": _GID,
    },
    "ssh": {
        "id": "Which of the caller's agents (`--ssh id`); default `default`",
        "target": "Where the socket is; default `/run/buildkit/ssh_agent.0`, counting up",
        "required": "Fail when the caller does not pass an agent; default: no",
        "mode": "Permissions of the socket, in octal; default 0600",
        "uid": _UID,
        "gid": _GID,
    },
    "cache": {
        "id": "Mounts with the same id share one cache, in all stages and builds of the builder; default: `target`",
        "target": "Where the folder is",
        "sharing": "What happens when two builds use it at once; default `shared`",
        "from": "Stage, context or image that gives the first content; default: an empty folder",
        "source": "Folder in `from`; default its root",
        "readonly": _READONLY,
        "mode": "Permissions of a new folder, in octal; default 0755",
        "uid": _UID,
        "gid": _GID,
    },
    "bind": {
        "target": "Where the files are",
        "source": "Path in `from`; default its root",
        "from": "Stage, context or image; default: the build context",
        "readwrite": _READWRITE,
    },
    "tmpfs": {
        "target": "Where the folder is",
        "size": "Most bytes that it can hold; default: no limit",
    },
}

ALIASES = {"dst": "target", "destination": "target", "src": "source", "ro": "readonly", "rw": "readwrite"}

OPTION_VALUES: dict[str, dict[str, str]] = {
    "sharing": {
        "shared": "Builds use it at the same time",
        "private": "A second build gets a cache of its own",
        "locked": "A second build waits",
    },
    "required": {"true": "", "false": ""},
    "readonly": {"true": "", "false": ""},
    "ro": {"true": "", "false": ""},
    "readwrite": {"true": "", "false": ""},
    "rw": {"true": "", "false": ""},
    "mode": {"0400": "Only the owner reads it", "0440": "Owner and group read it", "0444": "Everyone reads it"},
}
