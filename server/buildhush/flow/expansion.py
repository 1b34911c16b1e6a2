"""Words to abstract strings: expansion of variables, substitutions, quotes, tildes and braces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from buildhush.flow.machine import Capture, Context, Files
from buildhush.flow.state import State
from buildhush.flow.symbols import bounded, display, is_known, symbol
from buildhush.flow.taint import CLEAN, Taints, Value, through
from buildhush.shell import ir
from buildhush.text.spans import Span

# Variables that a sourced file does not set in practice, so `. secrets.env` does not taint them.
_WELL_KNOWN = frozenset(
    [
        "HOME",
        "PATH",
        "PWD",
        "OLDPWD",
        "USER",
        "LOGNAME",
        "SHELL",
        "IFS",
        "LANG",
        "LC_ALL",
        "TERM",
        "HOSTNAME",
        "UID",
        "EUID",
        "PPID",
        "RANDOM",
        "SECONDS",
        "LINENO",
        "BASH",
        "BASH_VERSION",
        "OPTARG",
        "OPTIND",
        "TMPDIR",
        "DEBIAN_FRONTEND",
    ]
)
_SPECIAL = frozenset("?$!-#_0")
# The name under which a state keeps "any variable that an opaque secret file may have set".
ANY_VARIABLE = "*"
# So many characters of a secret (the masked form in a log) give nothing away.
GLIMPSE = 8
# Last words of names that hold no secret when an opaque secret file sets them.
_HARMLESS_TAILS = frozenset(
    [
        "URL",
        "URI",
        "HOST",
        "HOSTNAME",
        "PORT",
        "REGION",
        "USER",
        "USERNAME",
        "ENV",
        "ENVIRONMENT",
        "VERSION",
        "PATH",
        "DIR",
        "BUCKET",
        "NAME",
        "EMAIL",
        "DOMAIN",
    ]
)
_BRACES = re.compile(r"\{([^{},\s]*,[^{}\s]*)\}")


class Operand(Struct, frozen=True):
    """One argument after expansion: its symbolic text, and the secrets in it.

    `span`: in offsets of the script being run (not yet of the RUN's own).
    """

    text: str
    taints: Taints
    span: Span
    glob: bool
    word: ir.Word | None
    settable: bool = False

    @property
    def value(self) -> Value:
        """Its symbolic text and the secrets in it."""
        return Value(self.text, self.taints, self.settable)


def _operand(value: Value, word: ir.Word, *, glob: bool) -> Operand:
    return Operand(value.text, value.taints, word.span, glob, word, value.settable)


def is_harmless(name: str) -> bool:
    """Whether a variable of that name, set by a secret file, is one that holds no secret (`API_URL`, `user`)."""
    return name.upper().rsplit("_", 1)[-1] in _HARMLESS_TAILS


class Expander:
    """Expands words; `substitute` runs a script and gives back what it printed."""

    def __init__(self, files: Files, substitute: Callable[[ir.Script, State, Context], Capture]) -> None:
        self.files = files
        self.substitute = substitute
        self._named_settable = False
        """Whether a variable that a build can set was named since the innermost substitution began."""

    def operands(self, words: Iterable[ir.Word], state: State, context: Context) -> list[Operand]:
        """The arguments that words become: `$@` and unquoted values with blanks split, braces expanded."""
        result: list[Operand] = []
        for word in words:
            parts = word.parts
            if len(parts) == 1 and type(part := parts[0]) is ir.Literal and not part.quoted and "{" not in part.text:
                # Nearly every word: it stands for itself.
                text = part.text
                result.append(Operand(text, CLEAN, word.span, "*" in text or "?" in text or "[" in text, word))
            else:
                result += self._operands_of(word, state, context)
        return result

    def value(self, word: ir.Word | None, state: State, context: Context) -> Value:
        """The word as one string, as in an assignment, a redirect target or a here-document."""
        if word is None:
            return Value("")
        parts = word.parts
        if len(parts) == 1 and type(part := parts[0]) is ir.Literal:
            return Value(bounded(part.text, f"… at {word.span.start}"))
        texts: list[str] = []
        taints = CLEAN
        settable = False
        for part in parts:
            piece = self._part(part, state, context)
            texts.append(piece.text)
            settable = settable or piece.settable
            if piece.taints:
                taints = taints | piece.taints
        return Value(bounded("".join(texts), f"… at {word.span.start}"), taints, settable)

    def variable(self, name: str, state: State, context: Context, span: Span) -> Value:
        """The value of `$name`; an unset one is a symbol of its own."""
        if name.isdigit() and name != "0":
            index = int(name) - 1
            return context.positional[index] if index < len(context.positional) else Value("")
        if name in ("@", "*"):
            return Value(
                " ".join(value.text for value in context.positional),
                frozenset().union(*(value.taints for value in context.positional)),
                any(value.settable for value in context.positional),
            )
        value = state.variables.get(name)
        if value is not None:
            return value
        if ANY_VARIABLE in state.variables and name not in _WELL_KNOWN | _SPECIAL and not is_harmless(name):
            return Value(symbol(f"${name}"), state.variables[ANY_VARIABLE].taints)
        return Value(symbol(f"${name}"))

    def _operands_of(self, word: ir.Word, state: State, context: Context) -> list[Operand]:
        if len(word.parts) == 1:
            part = word.parts[0]
            if isinstance(part, ir.Literal):
                return self._literal_operands(word, part)
            if isinstance(part, ir.Variable):
                if part.name == "@" or (part.name == "*" and not part.quoted):
                    return [_operand(value, word, glob=False) for value in context.positional]
                value = self._part(part, state, context)
                if not part.quoted and is_known(value.text):
                    return [
                        Operand(piece, value.taints, word.span, _has_glob(piece), word, value.settable)
                        for piece in value.text.split()
                    ]
                return [_operand(value, word, glob=False)]
        value = self.value(word, state, context)
        glob = any(isinstance(part, ir.Literal) and not part.quoted and _has_glob(part.text) for part in word.parts)
        if any(isinstance(part, ir.Literal) and not part.quoted and "{" in part.text for part in word.parts):
            return [
                Operand(text, value.taints, word.span, glob, word, value.settable) for text in expand_braces(value.text)
            ]
        return [_operand(value, word, glob=glob)]

    @staticmethod
    def _literal_operands(word: ir.Word, part: ir.Literal) -> list[Operand]:
        text = part.text
        if part.quoted:
            # A quoted tilde is a character, not the home folder.
            return [Operand("./" + text if text.startswith("~") else text, CLEAN, word.span, False, word)]
        return [Operand(piece, CLEAN, word.span, _has_glob(piece), word) for piece in expand_braces(text)]

    def _part(self, part: ir.Part, state: State, context: Context) -> Value:
        if isinstance(part, ir.Literal):
            return Value(part.text)
        if isinstance(part, ir.Variable):
            return self._variable_part(part, state, context)
        if isinstance(part, ir.CommandSubstitution):
            return self._substitution(part, state, context)
        if isinstance(part, ir.Arithmetic):
            return Value(symbol(part.text))
        if part.direction == "<":
            capture = self.substitute(part.body, state, context)
            path = f"/dev/fd/{symbol(f'<(…) at {part.span.start}')}"
            if capture.taints:
                self.files.inputs_of_substitution(state, path, capture.taints)
            return Value(path)
        # The consumer of `>(…)` is not followed: what it does with its input is seen as if it had none.
        self.substitute(part.body, state, context)
        return Value("/dev/null")

    def _variable_part(self, part: ir.Variable, state: State, context: Context) -> Value:
        place = context.place(part.span)
        evidence = self.files.evidence
        evidence.variables_named.setdefault(part.name, []).append((place, bool(context.nesting)))
        if part.length:
            self.variable(part.name, state, context, part.span)
            return Value(symbol(f"${{#{part.name}}}"))
        operand = self.value(part.operand, state, context) if part.operand is not None else None
        value = self.variable(part.name, state, context, part.span)
        if part.indirect:
            pointed = value.text if is_known(value.text) else ""
            value = self.variable(pointed, state, context, part.span) if pointed.isidentifier() else Value(value.text)
        if value.taints:
            self.files.note_word(place, "variable", value.taints)
        settable = value.settable or (operand is not None and operand.settable)
        self._named_settable = self._named_settable or settable
        operator = part.operator
        if operator in (":+", "+"):
            # Whether the variable is set is not known.
            return Value(operand.text, operand.taints, True) if operand is not None else Value("")
        if not operator:
            return Value(value.text, through(value.taints, place, f"`${part.name}` carries it"), settable)
        taints = through(value.taints, place, f"`${{{part.name}}}` carries it")
        if operator in (":-", "-", ":=", "="):
            default = operand or Value("")
            unset = part.name not in state.variables
            if unset and ANY_VARIABLE not in state.variables:
                text = f"{value.text}" if not default.text else symbol(f"${{{part.name}:-{display(default.text)}}}")
            else:
                text = value.text or default.text
            result = Value(text, taints | default.taints, settable)
            if operator in (":=", "="):
                state.variables[part.name] = result
            return result
        if operator in (":?", "?"):
            return Value(value.text, taints, settable)
        if operator == ":" and operand is not None and _is_glimpse(operand.text):
            return Value(symbol(f"${{{part.name}:{display(operand.text)}}}"))
        if operator in ("%%", "##") and operand is not None and operand.text in ("*", "?*"):
            taints = CLEAN
        return Value(self._trimmed(value.text, operator, operand, part.name), taints, settable)

    @staticmethod
    def _trimmed(text: str, operator: str, operand: Value | None, name: str) -> str:
        if operand is not None and is_known(text) and is_known(operand.text) and not _has_glob(operand.text):
            if operator in ("#", "##"):
                return text.removeprefix(operand.text)
            if operator in ("%", "%%"):
                return text.removesuffix(operand.text)
        if operator in ("^^", ",,") and is_known(text):
            return text.upper() if operator == "^^" else text.lower()
        return symbol(f"${{{name}{operator}{display(operand.text) if operand else ''}}}")

    def _substitution(self, part: ir.CommandSubstitution, state: State, context: Context) -> Value:
        named_before, self._named_settable = self._named_settable, False
        capture = self.substitute(part.body, state, context)
        settable = self._named_settable
        self._named_settable = settable or named_before
        known = [text for text in capture.texts if text is not None]
        if capture.texts and len(known) == len(capture.texts):
            text = bounded("\n".join(known).strip("\n"), f"$(… at {part.span.start})")
        else:
            text = symbol(f"$(… at {part.span.start})" if capture.taints else _shown(part))
        return Value(text, capture.taints, settable)


def _is_glimpse(text: str) -> bool:
    """Whether `${V:0:4}` shows so few characters that they say nothing; observed: 16 bytes of a secret are a leak."""
    start, colon, length = text.partition(":")
    return bool(colon) and start.strip().isdigit() and length.strip().isdigit() and int(length) <= GLIMPSE


def expand_braces(text: str) -> list[str]:
    """`a{b,c}d` as `abd`, `acd`; at most 64 words, more stay as they are."""
    words = [text]
    while len(words) <= 64:
        expanded: list[str] = []
        changed = False
        for word in words:
            match = _BRACES.search(word)
            if match is None or word[: match.start()].endswith("$"):
                expanded.append(word)
                continue
            changed = True
            expanded += [word[: match.start()] + choice + word[match.end() :] for choice in match.group(1).split(",")]
        if not changed:
            break
        words = expanded
    return words


def _has_glob(text: str) -> bool:
    return "*" in text or "?" in text or "[" in text


def _shown(part: ir.CommandSubstitution) -> str:
    words: list[str] = []
    node = part.body.body
    if isinstance(node, ir.Simple):
        words = [word.constant or "…" for word in node.words]
    return f"$({' '.join(words)})" if words else f"$(… at {part.span.start})"
