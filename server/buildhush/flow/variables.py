"""The variables of a running script: what the script set, over what the RUN started with.

Which of the starting variables were looked at is written down, so that a summary can be kept when others change.
"""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.flow.inputs import EVERYTHING, HOME_FOLDER, RunInputs
from buildhush.flow.symbols import symbol
from buildhush.flow.taint import CLEAN, Taint, Taints, Value

# The interpreter's own marks (folders that were made, the previous folder) begin so; a RUN starts with none.
_INTERNAL = "\x01"


class Variables:
    """A mapping from name to value in two layers. Copies share the lower layer and the record of what was asked."""

    __slots__ = ("_asked", "_gone", "_inputs", "_kept_back", "_own", "_own_exports")

    def __init__(self, inputs: RunInputs, asked: set[str]) -> None:
        self._inputs = inputs
        self._asked = asked
        self._own: dict[str, Value] = {}
        self._gone: set[str] = set()
        self._own_exports: set[str] = set()
        self._kept_back: set[str] = set()

    def copy(self) -> Variables:
        """An independent copy."""
        other = Variables(self._inputs, self._asked)
        other._own = dict(self._own)
        other._gone = set(self._gone)
        other._own_exports = set(self._own_exports)
        other._kept_back = set(self._kept_back)
        return other

    def get(self, name: str) -> Value | None:
        """The value, None when it is not set."""
        if name == "HOME":
            self._asked.add(HOME_FOLDER)
        value = self._own.get(name)
        if value is not None or name in self._gone:
            return value
        if name.startswith(_INTERNAL):
            return None
        self._asked.add(name)
        variable = self._inputs.variable(name)
        if variable is None:
            return None
        taints: Taints = frozenset([Taint(variable.root)]) if variable.root is not None else CLEAN
        text = variable.text if variable.text is not None else symbol(f"${name}")
        value = Value(text, taints, variable.settable)
        self._own[name] = value
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __getitem__(self, name: str) -> Value:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Value) -> None:
        self._own[name] = value
        self._gone.discard(name)

    def remove(self, name: str) -> None:
        """Forget a variable."""
        self._own.pop(name, None)
        self._gone.add(name)

    def own_items(self) -> list[tuple[str, Value]]:
        """What the script set or looked at; the rest is as it was at the start."""
        return list(self._own.items())

    def is_exported(self, name: str) -> bool:
        """Whether a child process sees it: ARG and ENV always are, others when the script exports them."""
        if name in self._own_exports:
            return True
        if name in self._kept_back:
            return False
        self._asked.add(name)
        return self._inputs.variable(name) is not None

    def export(self, name: str) -> None:
        """Let children see a variable."""
        self._own_exports.add(name)
        self._kept_back.discard(name)

    def keep_back(self, name: str) -> None:
        """Hide a variable from children."""
        self._own_exports.discard(name)
        self._kept_back.add(name)

    def names(self) -> Iterator[str]:
        """Every name that is set. The summary then depends on all starting variables."""
        self._asked.add(EVERYTHING)
        seen = set(self._own)
        yield from list(self._own)
        # Sorted, so that the order in which a stage declares its variables says nothing.
        yield from sorted(name for name in self._inputs.variable_names() if name not in seen | self._gone)

    def exported_names(self) -> list[str]:
        """Every name that children see."""
        names = [name for name in self.names() if self.is_exported(name)]
        return names + [name for name in self._own_exports if name not in names]

    def without_unexported(self, kept: tuple[str, ...], prefix: str) -> Variables:
        """The variables of a child process; `kept` and names with the prefix go along in any case."""
        child = self.copy()
        for name in list(child._own):
            if name not in kept and not name.startswith(prefix) and not self.is_exported(name):
                child.remove(name)
        return child

    def is_same(self, other: Variables) -> bool:
        """Whether the script has done the same to both."""
        return (
            self._own == other._own
            and self._gone == other._gone
            and self._own_exports == other._own_exports
            and self._kept_back == other._kept_back
        )

    def joined(self, other: Variables) -> Variables:
        """What holds when either of two paths was taken; a name set on one path only keeps that value."""
        result = self.copy()
        for name, value in other._own.items():
            if result._own.get(name) is value:
                continue  # Both have it from before they parted: nothing is asked for.
            mine = result.get(name)
            if mine is None:
                result[name] = value
            elif mine is not value:
                text = mine.text if mine.text == value.text else symbol(f"${name}")
                taints = mine.taints | value.taints if value.taints else mine.taints
                result[name] = Value(text, taints, mine.settable or value.settable)
        result._own_exports |= other._own_exports
        result._kept_back &= other._kept_back
        return result
