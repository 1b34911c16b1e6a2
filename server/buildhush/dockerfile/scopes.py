"""Which ARG and ENV variables an instruction sees, and what the file alone says about their values.

Facts are from moby/buildkit, frontend/dockerfile/dockerfile2llb/convert.go (v0.34):
- An ARG before the first FROM is seen by FROM lines and by later such ARGs only (buildMetaArgs). `ARG NAME` without a
  value in a stage takes its value over (dispatchArg, globalArgs); with a value of its own it does not.
- In a stage, ARG and ENV write into the same environment (state.AddEnv), so the later one with a value wins. An ARG
  that has no value from anywhere changes nothing, hence an ENV before it stays in force. (The reference's "ENV always
  overrides ARG" holds for the usual order, ARG first.)
- `FROM stage` takes over the stage's environment with the values of its ARGs, and its list of build args, which goes
  on into the history (dispatchState.init copies state and buildArgs).
- All words of an instruction are expanded with what stood before it, except that each ARG of an `ARG A=1 B=$A` sees
  those to its left (ARG's expansion is deferred to dispatchArg).
- The base stage's ONBUILD triggers run first in a stage that inherits from it (initOnBuildTriggers), not in later ones.
- The proxy variables reach every RUN when a caller passes them, declared or not (proxyEnvFromBuildArgs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from msgspec import Struct

from buildhush.dockerfile.expansion import expand
from buildhush.dockerfile.nodes import Assignment, Dockerfile, From, Instruction, Onbuild, Pair
from buildhush.dockerfile.stages import StageGraph

PROXY_ARGUMENTS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
# Set by the builder (platform.go: defaultArgs); a stage sees them only after `ARG NAME`.
PLATFORM_ARGUMENTS = (
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
)


class VariableKind(Enum):
    """What made the variable."""

    ARG = "arg"
    ENV = "env"
    BUILDER = "builder"


class Variable(Struct, frozen=True, eq=False):
    """One variable as an instruction sees it.

    `value` is what the file alone gives it, None when that depends on a build arg, the base image or the builder.
    `stage` is the index of the stage that declares it, None before the first FROM. `node` and `pair` are the
    declaration (for an ONBUILD trigger `node` is the trigger). `global_node` and `global_pair` are the ARG before the
    first FROM that `ARG NAME` takes over. `shadows` is the variable of that name that was in force before.
    """

    name: str
    kind: VariableKind
    value: str | None
    stage: int | None
    node: Assignment | None
    pair: Pair | None
    global_node: Assignment | None = None
    global_pair: Pair | None = None
    shadows: Variable | None = None


Variables = Mapping[str, Variable]


class Scopes:
    """The scopes of one tree; each stage is read once, when it is first asked for."""

    def __init__(self, tree: Dockerfile, graph: StageGraph) -> None:
        self._escape = tree.escape
        self._graph = graph
        self._globals: dict[str, Variable] | None = None
        # Per stage (None: before the first FROM) its declarations in order; per instruction how many it sees.
        self._declared: dict[int | None, list[Variable]] = {}
        self._seen: dict[int, tuple[int | None, int]] = {}

    def variables_at(self, instruction: Instruction) -> Variables:
        """What the words of an instruction of this tree expand with, and what a RUN finds in its environment.

        A FROM sees the ARGs before the first FROM and the builder's. An instruction of another tree sees nothing.
        """
        stage = self._graph.stage_of(instruction)
        if isinstance(instruction, From) and stage is not None:
            return {**_builder_arguments(), **self.global_arguments()}
        if stage is None:
            self.global_arguments()
        else:
            self._read_stage(stage.index)
        if id(instruction) not in self._seen:
            return {}
        key, count = self._seen[id(instruction)]
        return {each.name: each for each in self._declared[key][:count]}

    def global_arguments(self) -> Variables:
        """The ARGs before the first FROM, all of them."""
        if self._globals is None:
            known: dict[str, Variable] = {}
            declared: list[Variable] = []
            for node in self._graph.preamble:
                self._seen[id(node)] = (None, len(declared))
                if isinstance(node, Assignment) and node.keyword == "ARG":
                    declared += self._declare(node, None, known, {})
            self._declared[None] = declared
            self._globals = known
        return self._globals

    def variables_after(self, stage_index: int) -> Variables:
        """What a stage hands on to one that inherits from it."""
        self._read_stage(stage_index)
        return {each.name: each for each in self._declared[stage_index]}

    def _read_stage(self, stage_index: int) -> None:
        chain: list[int] = []
        current: int | None = stage_index
        while current is not None and current not in self._declared:
            chain.append(current)
            current = self._graph.stages[current].base
        for index in reversed(chain):
            self._read_one_stage(index)

    def _read_one_stage(self, index: int) -> None:
        stage = self._graph.stages[index]
        outer = self.global_arguments()
        known: dict[str, Variable] = {}
        declared: list[Variable] = []
        if stage.base is not None:
            known = {each.name: each for each in self._declared[stage.base]}
            declared = list(known.values())
            for trigger in _triggers(self._graph.bodies[stage.base]):
                declared += self._declare(trigger, index, known, outer)
        for node in self._graph.bodies[index]:
            self._seen[id(node)] = (index, len(declared))
            if isinstance(node, Assignment) and node.keyword != "LABEL":
                declared += self._declare(node, index, known, outer)
        self._declared[index] = declared

    def _declare(
        self, node: Assignment, stage: int | None, known: dict[str, Variable], outer: Variables
    ) -> list[Variable]:
        """The variables that an ARG or ENV makes, also put into `known`."""
        made: list[Variable] = []
        for pair in node.pairs:
            variable = (
                self._environment(node, pair, stage, known)
                if node.keyword == "ENV"
                else self._argument(node, pair, stage, known, outer)
            )
            if variable is not None:
                made.append(variable)
                if node.keyword == "ARG":
                    known[variable.name] = variable
        for variable in made:
            known[variable.name] = variable
        return made

    def _environment(self, node: Assignment, pair: Pair, stage: int | None, known: Variables) -> Variable | None:
        name = self._text(pair.key.text, known)
        if not name or pair.value is None:
            return None
        value = self._text(pair.value.text, known)
        return Variable(name, VariableKind.ENV, value, stage, node, pair, shadows=known.get(name))

    def _argument(
        self, node: Assignment, pair: Pair, stage: int | None, known: Variables, outer: Variables
    ) -> Variable | None:
        name = self._text(pair.key.text, known)
        if not name:
            return None
        before = known.get(name)
        origin = outer.get(name) if pair.value is None else None
        value: str | None
        if pair.value is not None:
            value = self._text(pair.value.text, known)
        elif origin is not None and origin.pair is not None and origin.pair.value is not None:
            value = origin.value
        else:
            value = before.value if before is not None else None
        return Variable(
            name,
            VariableKind.ARG,
            value,
            stage,
            node,
            pair,
            origin.node if origin is not None else None,
            origin.pair if origin is not None else None,
            before,
        )

    def _text(self, word: str, known: Variables) -> str | None:
        """The word's value as far as the file tells it."""
        expanded = expand(word, _Values(known), self._escape)
        return None if expanded.unset else expanded.value


class _Values(Mapping[str, str]):
    """The variables whose values the file tells, as a mapping to these."""

    __slots__ = ("_variables",)

    def __init__(self, variables: Variables) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        variable = self._variables.get(name)
        if variable is None or variable.value is None:
            raise KeyError(name)
        return variable.value

    def __iter__(self) -> Iterator[str]:
        return (name for name, each in self._variables.items() if each.value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _triggers(instructions: Iterable[Instruction]) -> list[Assignment]:
    return [
        node.trigger
        for node in instructions
        if isinstance(node, Onbuild) and isinstance(node.trigger, Assignment) and node.trigger.keyword != "LABEL"
    ]


def _builder_arguments() -> dict[str, Variable]:
    return {name: Variable(name, VariableKind.BUILDER, None, None, None, None) for name in PLATFORM_ARGUMENTS}
