"""What is known of the commands that people call in a RUN, as data (`commands.toml`) with the types it is read into.

Facts: FACTS.md section 5 and real builds; an entry whose fact was not observed says `verified = false`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct


class Output(Enum):
    """What a command's standard output is made of."""

    OWN = "own"  # Something of its own (network clients, package managers): never the secret that it was given.
    NOTHING = "nothing"
    ARGUMENTS = "arguments"  # echo, printf
    INPUT = "input"  # cat, sed, base64, gzip -c, head …: the bytes of the operand files, or of standard input.
    DIGEST = "digest"  # sha256sum, wc, grep -c: derived from the input, but it can't be turned back.
    ENVIRONMENT = "environment"  # env, printenv, export -p, declare -p


class StoredFile(Struct, frozen=True):
    """A file that a command keeps a credential in.

    `path`: starts with `~/` (HOME of the user in force), `./` (current directory), `/`, or `$VARIABLE/` (`default` then
    says what stands in for an unset variable); `{N}` is operand N behind the matched subcommand (0-based), and when it
    is missing, `default` `{M}` stands for the last component of operand M without `.git` (`git clone URL`);
    `{--option}` is that option's value. A path that ends with `/` is a folder. `option`: only when that option is
    given (`--global`, `--location=project`); an entry without one holds when none of the others matches. `certain`:
    False for facts that were not observed.
    """

    path: str
    option: str | None = None
    default: str | None = None
    certain: bool = True


class Store(Struct, frozen=True):
    """A form of a command that writes a credential to a file of its own.

    `when`: the words of the subcommand, in order, options between them skipped; a word may hold `*` as a glob;
    empty: the command itself. Options in front of its first word do not count (`git -c … clone`). `options`: at least
    one of them must be given (empty: no condition); `unless`: none of them may be. In the TOML file a word may hold
    alternatives between `|`; they become entries of their own.
    `credential`: where the credential enters: "arguments" (any operand or option value), "operand" (operands behind
    `when`), "input" (standard input), "option:--password" (that option's value; short forms listed apart),
    "file:--key-file" (content of the file that the option names), "file-operand", "variable:NAME" (the environment).
    `files`: alternatives by option, the first that matches; `also`: further files written in every case.
    `safe_file`: mount the secret there instead (for root's HOME; another user's takes its place); `safe_variable`: hand
    it over in this variable instead; `{N}`, `{--option}` and `{*}` (what the `*` of `when` stood for) may occur in it,
    written in upper case with `_` for every other character (`__` for the dots of BUNDLE_ names);
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


class Printing(Struct, frozen=True):
    """Options or subcommands that make a command print a credential that it was given.

    `when` and `options` as in `Store`; `credential` as in
    `Store`; further "environment" for all exported variables, "script" for the values in the commands that it runs,
    "stored" for what a `Store` of the same command keeps.
    """

    options: tuple[str, ...]
    credential: tuple[str, ...]
    when: tuple[str, ...] = ()
    why: str = ""


class Undo(Struct, frozen=True):
    """A form that removes what a `Store` wrote (`docker logout`, `npm config delete`); fields as in `Store`."""

    when: tuple[str, ...]
    files: tuple[StoredFile, ...]
    options: tuple[str, ...] = ()


class CommandKnowledge(Struct, frozen=True):
    """One command.

    `valued`: options that take their value from the next word (`-o`, `--output`), so that operands are counted right.
    `output_options`: options that name a file which gets the output instead of standard output (`curl -o`, `sort -o`).
    `digest_options`: options that turn an INPUT command's output into a digest or into nothing (`grep -q`, `grep -c`).
    `handler`: the name of a transfer function in `flow/handlers` for commands that data can't describe (cp, mv, tar,
    tee, dd, sed, find, xargs …). `wraps`: it runs the command behind its own options (sudo, env, nice, timeout);
    `wraps_skip`: how many operands stand before that command (timeout: 1). `script_option`: it runs a script given as
    the value of this option (`sh -c`, `su -c`). `first_operand_is_program`: sed, awk, grep, jq: operand 0 is no file.
    `reads_files`: credential files it reads by itself, as in StoredFile; `reads_variables`: environment variables that
    it reads by itself (`*` as a glob); `network`: a client whose output is not the secret. `credential_options`: their
    value is a credential, so that a literal there is one. `printed_options`: options of an INPUT command whose
    value ends up in the output too (`jq --arg`). `module_option`: its value is the command that runs (`python -m pip`).
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
    credential_options: tuple[str, ...] = ()
    printed_options: tuple[str, ...] = ()
    module_option: str | None = None


def load_commands() -> Mapping[str, CommandKnowledge]:
    """The built-in commands by name and alias; read at the first call, not when the types are imported."""
    from buildhush.knowledge.catalogue import load_commands as load

    return load()


def known_name(commands: Mapping[str, CommandKnowledge], name: str) -> str:
    """The name under which a program is known: `pip` for `pip3.14` and `gcc` for `gcc-12.exe`, else as it is."""
    if name in commands:
        return name
    plain = name.removesuffix(".exe").removesuffix(".cmd")
    return next((each for each in (plain, _VERSION.sub("", plain)) if each in commands), name)


_VERSION = re.compile(r"-?[0-9][0-9.]{0,10}$")


def parse_commands(table: Mapping[str, Any], where: str = ".buildhush.toml") -> dict[str, CommandKnowledge]:
    """The commands of a parsed TOML table. Raises a ValueError that names file, key and nearest valid key."""
    from buildhush.knowledge.catalogue import parse_commands as parse

    return parse(table, where)
