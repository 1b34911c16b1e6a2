"""What single commands do to files, variables and output.

Each handler takes the interpreter, the call, the state (taken over) and the context, and gives the outcome, or None to
say that the general treatment by knowledge (`general.by_knowledge`) fits. Handlers stand for commands that data can't
describe; everything else is in `knowledge/commands.toml`.
"""

from __future__ import annotations

from buildhush.flow.handlers.archives import compress, tar, zip_files
from buildhush.flow.handlers.files import (
    copy,
    dd,
    find,
    mkdir,
    mktemp,
    move_nothing,
    path_text,
    remove,
    touch,
    truncate,
)
from buildhush.flow.handlers.filters import edit_in_place, envsubst, openssl, split_file
from buildhush.flow.handlers.general import by_knowledge
from buildhush.flow.handlers.output import cat, echo, print_environment, printf, tee
from buildhush.flow.handlers.scripts import evaluate, false, leave, run_operands, shell, source, trap, true, xargs
from buildhush.flow.handlers.tools import git
from buildhush.flow.handlers.variables import change_folder, compare, declare, read_line, set_options, unset
from buildhush.flow.interpreter import Handler

HANDLERS: dict[str, Handler] = {
    "echo": echo,
    "printf": printf,
    "cat": cat,
    "tee": tee,
    "env": print_environment,
    "printenv": print_environment,
    "cp": copy,
    "mv": copy,
    "install": copy,
    "ln": copy,
    "rsync": copy,
    "rm": remove,
    "unlink": remove,
    "shred": remove,
    "touch": touch,
    "mkdir": mkdir,
    "chmod": move_nothing,
    "chown": move_nothing,
    "truncate": truncate,
    "dd": dd,
    "tar": tar,
    "zip": zip_files,
    "gzip": compress,
    "gunzip": compress,
    "bzip2": compress,
    "bunzip2": compress,
    "xz": compress,
    "unxz": compress,
    "zstd": compress,
    "pigz": compress,
    "sed": edit_in_place,
    "perl": edit_in_place,
    "split": split_file,
    "find": find,
    "openssl": openssl,
    "envsubst": envsubst,
    "mktemp": mktemp,
    "pwd": path_text,
    "basename": path_text,
    "dirname": path_text,
    "realpath": path_text,
    "export": declare,
    "declare": declare,
    "typeset": declare,
    "local": declare,
    "readonly": declare,
    "unset": unset,
    "read": read_line,
    "mapfile": read_line,
    "readarray": read_line,
    "set": set_options,
    "cd": change_folder,
    "pushd": change_folder,
    "popd": change_folder,
    "exit": leave,
    "return": leave,
    "break": leave,
    "continue": leave,
    "trap": trap,
    "eval": evaluate,
    "source": source,
    ".": source,
    "sh": shell,
    "bash": shell,
    "dash": shell,
    "ash": shell,
    "zsh": shell,
    "ksh": shell,
    "xargs": xargs,
    "exec": run_operands,
    "command": run_operands,
    "builtin": run_operands,
    "true": true,
    ":": true,
    "false": false,
    "test": compare,
    "[": compare,
    "git": git,
}

__all__ = ["HANDLERS", "by_knowledge"]
