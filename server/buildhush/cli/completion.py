"""`buildhush completion`: completion scripts for shells, made from the argument parsers, so that they can't drift."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from msgspec import Struct

from buildhush.cli import output

SHELLS = ("bash", "zsh", "fish")


class CommandOption(Struct, frozen=True):
    """One option: its spellings, help, and what may follow it. `rules`: its value is a list of rule ids."""

    names: tuple[str, ...]
    help: str
    metavar: str
    takes_value: bool
    choices: tuple[str, ...]
    rules: bool


class CommandShape(Struct, frozen=True):
    """One sub-command. `rules`: its operands are rule ids; otherwise `choices`, or files."""

    name: str
    help: str
    options: tuple[CommandOption, ...]
    choices: tuple[str, ...]
    rules: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print a script for")


def run(arguments: argparse.Namespace) -> int:
    """Prints the script."""
    from buildhush.rules.registry import RULES

    write = {"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell]
    output.write(write(shapes(), tuple(RULES)))
    return 0


def shapes() -> tuple[CommandShape, ...]:
    """All sub-commands, read from the parsers."""
    from buildhush.cli.main import COMMANDS, parser

    top = parser()
    actions = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    return tuple(_shape(name, COMMANDS[name], sub) for name, sub in actions[0].choices.items())


def _shape(name: str, summary: str, parser: argparse.ArgumentParser) -> CommandShape:
    options = []
    choices: tuple[str, ...] = ()
    rules = False
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        metavar = str(action.metavar or "")
        found = tuple(str(choice) for choice in action.choices or ())
        if action.option_strings:
            takes_value = action.nargs != 0
            rule_list = metavar.startswith("RULE")
            shown = metavar or "|".join(found) or action.dest.upper()
            text = (action.help or "").replace("%(default)s", str(action.default))
            options.append(CommandOption(tuple(action.option_strings), text, shown, takes_value, found, rule_list))
        else:
            choices, rules = found, metavar.startswith("RULE")
    return CommandShape(name, summary, tuple(options), choices, rules)


def bash(commands: tuple[CommandShape, ...], rule_ids: tuple[str, ...]) -> str:
    """A script for bash; `source <(buildhush completion bash)`."""
    names = " ".join(command.name for command in commands)
    lines = [
        "# bash completion for buildhush",
        "_buildhush() {",
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}",
        f"  local rules='{' '.join(rule_ids)}'",
        "  COMPREPLY=()",
        "  if ((COMP_CWORD == 1)); then",
        f"    COMPREPLY=($(compgen -W '{names} --help --version' -- \"$word\"))",
        "    return",
        "  fi",
        '  case "$command" in',
    ]
    for command in commands:
        lines += [f"    {command.name})", '      case "$before" in']
        for option in command.options:
            words = "$rules" if option.rules else " ".join(option.choices)
            if option.takes_value and words:
                names = "|".join(option.names)
                lines.append(f'        {names}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;')
            elif option.takes_value:
                lines.append(f'        {"|".join(option.names)}) COMPREPLY=($(compgen -f -- "$word")); return ;;')
        names = " ".join(name for option in command.options for name in option.names)
        operands = '-W "$rules"' if command.rules else f"-W '{' '.join(command.choices)}'" if command.choices else "-f"
        lines += [
            "      esac",
            "      if [[ $word == -* ]]; then",
            f"        COMPREPLY=($(compgen -W '{names}' -- \"$word\"))",
            "      else",
            f'        COMPREPLY=($(compgen {operands} -- "$word"))',
            "      fi",
            "      ;;",
        ]
    return "\n".join([*lines, "  esac", "}", "complete -o filenames -F _buildhush buildhush"])


def zsh(commands: tuple[CommandShape, ...], rule_ids: tuple[str, ...]) -> str:
    """A script for zsh; a file `_buildhush` on `$fpath`."""
    lines = [
        "#compdef buildhush",
        f"local -a rules=({' '.join(rule_ids)})",
        "local -a commands=(",
        *(f"  {_quoted(f'{command.name}:{command.help}')}" for command in commands),
        ")",
        "if ((CURRENT == 2)); then",
        "  _describe command commands",
        "  return",
        "fi",
        "local command=$words[2]",
        "shift words; ((CURRENT--))",
        'case "$command" in',
    ]
    for command in commands:
        lines += [f"  {command.name})", "    _arguments \\"]
        for option in command.options:
            for name in option.names:
                value = ":value:" + _zsh_values(option.rules, option.choices) if option.takes_value else ""
                lines.append(f"      {_quoted('*' + name + '[' + _bracketless(option.help) + ']' + value)} \\")
        lines += [f"      {_quoted('*:operand:' + _zsh_values(command.rules, command.choices))}", "    ;;"]
    return "\n".join([*lines, "esac"])


def fish(commands: tuple[CommandShape, ...], rule_ids: tuple[str, ...]) -> str:
    """A script for fish; `~/.config/fish/completions/buildhush.fish`."""
    return "\n".join(_fish_lines(commands, rule_ids))


def _fish_lines(commands: tuple[CommandShape, ...], rule_ids: tuple[str, ...]) -> Iterator[str]:
    rules = " ".join(rule_ids)
    yield "# fish completion for buildhush"
    for command in commands:
        yield f"complete -c buildhush -n __fish_use_subcommand -f -a {command.name} -d {_quoted(command.help)}"
        here = f"complete -c buildhush -n {_quoted(f'__fish_seen_subcommand_from {command.name}')}"
        if command.rules or command.choices:
            yield f"{here} -f -a {_quoted(rules if command.rules else ' '.join(command.choices))}"
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            words = rules if option.rules else " ".join(option.choices)
            value = (f" -x -a {_quoted(words)}" if words else " -r") if option.takes_value else ""
            yield f"{here} {names}{value} -d {_quoted(option.help)}"


def _zsh_values(rules: bool, choices: tuple[str, ...]) -> str:
    return "_values -s , rule $rules" if rules else f"({' '.join(choices)})" if choices else "_files"


def _bracketless(text: str) -> str:
    return text.replace("[", "(").replace("]", ")").replace(":", " -")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
