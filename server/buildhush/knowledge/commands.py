"""What is known of the commands that people call in a RUN, as data (`commands.toml`) with the types it is read into.

Facts: FACTS.md section 5 and real builds; an entry whose fact was not observed says `verified = false`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Output(Enum):
    """What a command's standard output is made of."""

    OWN = "own"  # Something of its own (network clients, package managers): never the secret that it was given.
    NOTHING = "nothing"
    ARGUMENTS = "arguments"  # echo, printf
    INPUT = "input"  # cat, sed, base64, gzip -c, head …: the bytes of the operand files, or of standard input.
    DIGEST = "digest"  # sha256sum, wc, grep -c: derived from the input, but it can't be turned back.
    ENVIRONMENT = "environment"  # env, printenv, export -p, declare -p


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a command keeps a credential in.

    `path`: starts with `~/` (HOME of the user in force), `./` (current directory), `/`, or `$VARIABLE/` (`default` then
    says what stands in for an unset variable); `{N}` is operand N behind the matched subcommand (0-based). A path that
    ends with `/` is a folder. `option`: only when that option is given (`--global`, `--location=project`); an entry
    without one holds when none of the others matches. `certain`: False for facts that were not observed.
    """

    path: str
    option: str | None = None
    default: str | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Store:
    """A form of a command that writes a credential to a file of its own.

    `when`: the words of the subcommand, in order, options between them skipped; a word may hold `*` as a glob.
    `options`: at least one of them must be given (empty: no condition); `unless`: none of them may be.
    `credential`: where the credential enters: "arguments" (any operand or option value), "operand" (operands behind
    `when`), "input" (standard input), "option:--password" (that option's value; short forms listed apart),
    "file:--key-file" (content of the file that the option names), "file-operand", "variable:NAME" (the environment).
    `files`: alternatives by option, the first that matches; `also`: further files written in every case.
    `safe_file`: mount the secret there instead; `safe_variable`: hand it over in this variable instead (`{N}` allowed);
    `advice`: one sentence for the hover, naming the safe form.
    """

    when: tuple[str, ...]
    credential: tuple[str, ...]
    files: tuple[StoredFile, ...]
    also: tuple[StoredFile, ...] = ()
    options: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    safe_file: str | None = None
    safe_variable: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Printing:
    """Options or subcommands that make a command print a credential that it was given.

    `when` and `options` as in `Store`; `credential` as in `Store` ("environment" for all exported variables).
    """

    options: tuple[str, ...]
    credential: tuple[str, ...]
    when: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """A form that removes what a `Store` wrote (`docker logout`, `npm config delete`): files as in `Store`."""

    when: tuple[str, ...]
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class CommandKnowledge:
    """One command.

    `valued`: options that take their value from the next word (`-o`, `--output`), so that operands are counted right.
    `output_options`: options that name a file which gets the output instead of standard output (`curl -o`, `sort -o`).
    `digest_options`: options that turn an INPUT command's output into a digest or into nothing (`grep -q`, `grep -c`).
    `handler`: the name of a transfer function in `flow/transfer.py` for commands that data can't describe (cp, mv, tar,
    tee, dd, sed, find, xargs …). `wraps`: it runs the command behind its own options (sudo, env, nice, timeout);
    `wraps_skip`: how many operands stand before that command (timeout: 1). `script_option`: it runs a script given as
    the value of this option (`sh -c`, `su -c`). `first_operand_is_program`: sed, awk, grep, jq: operand 0 is no file.
    `reads_files`: credential files it reads by itself, as in StoredFile; `reads_variables`: environment variables that
    it reads by itself; `network`: a client whose output is not the secret.
    """

    name: str
    aliases: tuple[str, ...] = ()
    output: Output = Output.OWN
    valued: tuple[str, ...] = ()
    output_options: tuple[str, ...] = ()
    digest_options: tuple[str, ...] = ()
    handler: str | None = None
    wraps: bool = False
    wraps_skip: int = 0
    script_option: str | None = None
    first_operand_is_program: bool = False
    stores: tuple[Store, ...] = ()
    prints: tuple[Printing, ...] = ()
    undoes: tuple[Undo, ...] = ()
    reads_files: tuple[str, ...] = ()
    reads_variables: tuple[str, ...] = ()
    network: bool = False
