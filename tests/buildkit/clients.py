"""Runs what builds Dockerfiles for real: bake, compose, workflow steps, GitLab jobs, shell scripts and Makefiles.

Each file is run by its own program (`buildx`, `compose`, `sh`, `make`; the toolkit of docker/build-push-action for the
inputs of that action) against the BuildKit of the tests. A `docker` on PATH hands every build to buildx; it adds the
base image and where the image goes, nothing else. What a file's other programs do (`vault`, `sudo`) is played.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.buildkit.engine import EngineMissing, images, is_set_up
from tests.buildkit.setup_engine import BUILDX_VERSION, COMPOSE_VERSION, TOOLKIT_VERSION, cache_folder

from buildhush.companions.readers import kind_of
from buildhush.verify.buildctl import BuildctlEngine

_EXPORT = "compression=uncompressed,force-compression=true"
_DEADLINE = 120
_TOOLKIT_SCRIPT = """
const library = process.argv[2] + "/node_modules/@docker/actions-toolkit/lib/";
const { Util } = await import(library + "util.js");
const { Build } = await import(library + "buildx/build.js");
const lines = (name) => Util.getInputList(name, { ignoreComma: true });
const words = ["build"];
for (const each of lines("build-args")) words.push("--build-arg", each);
for (const each of lines("secrets")) words.push("--secret", Build.resolveSecretString(each));
for (const each of Util.getInputList("secret-envs")) words.push("--secret", Build.resolveSecretEnv(each));
for (const each of lines("secret-files")) words.push("--secret", Build.resolveSecretFile(each));
const [file, target] = [process.env.INPUT_FILE, process.env.INPUT_TARGET];
if (file) words.push("--file", file);
if (target) words.push("--target", target);
words.push(process.env.INPUT_CONTEXT || ".");
process.stdout.write("\\n=" + JSON.stringify(words));
"""


@dataclass(frozen=True, slots=True)
class CallerBuild:
    """What running one file did. `images`: OCI archives with uncompressed layers, one a build. `log`: all output."""

    succeeded: bool
    images: tuple[Path, ...]
    log: str

    def holds(self, canary: str) -> bool:
        """Whether a layer, a config or a history line of an image has the bytes."""
        return any(canary.encode() in image.read_bytes() for image in self.images)


class CallerRunner:
    """Runs files of workspaces. `folder`: for shims, the builder's settings and the images."""

    def __init__(self, engine: BuildctlEngine, folder: Path) -> None:
        steps = (f"buildx-{BUILDX_VERSION}", f"compose-{COMPOSE_VERSION}", f"toolkit-{TOOLKIT_VERSION}")
        missing = [step for step in steps if not is_set_up(step)]
        if missing or shutil.which("make") is None or shutil.which("node") is None:
            raise EngineMissing(
                f"no {', '.join(missing) or 'make or node'}, get it with `python -m tests.buildkit.setup_engine`"
            )
        self.folder = folder
        self.binaries = cache_folder() / "bin"
        self.contexts = {name: f"oci-layout://{path}" for name, path in images().items()}
        self._runs = 0
        shims = folder / "shims"
        shims.mkdir(parents=True)
        for name, text in self._shims().items():
            (shims / name).write_text(text)
            (shims / name).chmod(0o755)
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(self.binaries / "buildx")
        self._client(["create", "--name", "tests", "--driver", "remote", str(engine.address), "--use"], folder, {})

    def run(self, path: Path, root: Path, environment: Mapping[str, str]) -> CallerBuild:
        """Runs one file of the workspace `root`. `environment`: variables, which CI secrets take their values from."""
        self._runs += 1
        output = self.folder / "images" / str(self._runs)
        output.mkdir(parents=True)
        kind = kind_of(str(path))
        if kind in ("compose", "bake"):
            definition = self.bake_definition(path, environment)
            result = self._built(definition, path.parent, environment, output)
        elif kind == "workflow":
            result = self._workflow(path, root, environment, output)
        else:
            command = {"makefile": ["make", "-f", str(path)], "script": ["bash", str(path)]}.get(kind or "")
            if command is None:
                command = ["bash", "-ec", "\n".join(_gitlab_lines(path))]
            result = self._shell(command, root, environment, output)
        return CallerBuild(result[0], tuple(sorted(output.iterdir())), result[1])

    def bake_definition(self, path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
        """What bake makes of a bake file, or compose of its files: they find those of the folder by themselves."""
        if kind_of(str(path)) == "compose":
            text = self._compose(["build", "--print"], path.parent, environment)
        else:
            names = self._bake_targets(path.parent, environment)
            text = self._client(["bake", "--print", "--progress=quiet", *names], path.parent, environment)
        found: dict[str, Any] = json.loads(text)
        return found

    def _bake_targets(self, folder: Path, environment: Mapping[str, str]) -> list[str]:
        """What somebody asks for: the default group, else all targets that can be built by name."""
        found = json.loads(self._client(["bake", "--list=type=targets,format=json"], folder, environment))
        names = [each["name"] for each in found]
        return ["default"] if "default" in names else [name for name in names if not name.startswith("_")]

    def compose_model(self, path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
        """The model that compose makes of the files of a folder."""
        found: dict[str, Any] = json.loads(self._compose(["config", "--format=json"], path.parent, environment))
        return found

    def _built(
        self, definition: dict[str, Any], folder: Path, environment: Mapping[str, str], output: Path
    ) -> tuple[bool, str]:
        words = ["bake", "--file=-", "--progress=plain", "--allow=fs.read=/", "--allow=fs.write=/", "--allow=ssh"]
        for name, target in definition["target"].items():
            words += [f"--set={name}.output=type=oci,dest={output}/{name}.tar,{_EXPORT}", f"--set={name}.cache-to="]
            words += [f"--set={name}.contexts.{image}={place}" for image, place in self.contexts.items()]
            target.pop("cache-to", None)
            target.pop("cache-from", None)
        result = self._process(
            [str(self.binaries / "buildx"), *words], folder, environment, json.dumps(definition), output
        )
        return result.returncode == 0, result.stdout + result.stderr

    def _workflow(self, path: Path, root: Path, environment: Mapping[str, str], output: Path) -> tuple[bool, str]:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        log = []
        for job in tree["jobs"].values() if "jobs" in tree else [tree["runs"]]:
            for step in job["steps"]:
                # A runner gives a step the variables of the file only; secrets come in through expressions.
                levels = (tree.get("env"), job.get("env"), step.get("env"))
                own = {key: _filled(str(value), environment) for each in levels if each for key, value in each.items()}
                uses = step.get("uses", "")
                if "build-push-action" in uses:
                    done, text = self._action(step.get("with", {}), root, own, environment, output)
                elif "bake-action" in uses:
                    done, text = self._bake_action(step.get("with", {}), root, own, environment, output)
                elif "run" in step:
                    command = ["bash", "-eo", "pipefail", "-c", _filled(step["run"], environment)]
                    where = root / step.get("working-directory", ".")
                    done, text = self._shell(command, where, own, output)
                else:
                    continue
                log.append(text)
                if not done:
                    return False, "".join(log)
        return True, "".join(log)

    def _action(
        self,
        inputs: Mapping[str, Any],
        root: Path,
        own: Mapping[str, str],
        secrets: Mapping[str, str],
        output: Path,
    ) -> tuple[bool, str]:
        script = self.folder / "toolkit.mjs"
        script.write_text(_TOOLKIT_SCRIPT)
        given = {f"INPUT_{key.upper()}": _filled(str(value), secrets) for key, value in inputs.items()}
        result = self._process(
            ["node", str(script), str(cache_folder() / "action")], root, {**own, **given}, None, output
        )
        if result.returncode != 0:
            return False, result.stderr
        words = json.loads(result.stdout.rpartition("\n=")[2])
        return self._shell([str(self.folder / "shims" / "docker"), *words], root, own, output)

    def _bake_action(
        self,
        inputs: Mapping[str, Any],
        root: Path,
        own: Mapping[str, str],
        secrets: Mapping[str, str],
        output: Path,
    ) -> tuple[bool, str]:
        words = ["buildx", "bake"]
        for name, option in (("files", "--file="), ("set", "--set="), ("targets", "")):
            lines = (line.strip() for line in _filled(str(inputs.get(name, "")), secrets).splitlines())
            words += [option + line for line in lines if line]
        return self._shell([str(self.folder / "shims" / "docker"), *words], root, own, output)

    def _shell(
        self, command: list[str], folder: Path, environment: Mapping[str, str], output: Path
    ) -> tuple[bool, str]:
        result = self._process(command, folder, environment, None, output)
        return result.returncode == 0, result.stdout + result.stderr

    def _client(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> str:
        return _output_of(self._process([str(self.binaries / "buildx"), *words], folder, environment, None, None))

    def _compose(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> str:
        return _output_of(self._process([str(self.binaries / "compose"), *words], folder, environment, None, None))

    def _process(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        text: str | None,
        output: Path | None,
    ) -> subprocess.CompletedProcess[str]:
        given = {
            "PATH": f"{self.folder / 'shims'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "BUILDX_BUILDER": "tests",
            "TEST_IMAGES": str(output),
            **environment,
        }
        standard_input: dict[str, Any] = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        return subprocess.run(
            command, cwd=folder, env=given, capture_output=True, text=True, timeout=_DEADLINE, check=False,
            **standard_input,
        )  # fmt: skip

    def _shims(self) -> dict[str, str]:
        buildx = shlex.quote(str(self.binaries / "buildx"))
        compose = shlex.quote(str(self.binaries / "compose"))
        contexts = " ".join(f"--build-context {name}={place}" for name, place in self.contexts.items())
        sets = " ".join(f"--set='*.contexts.{name}={place}'" for name, place in self.contexts.items())
        docker = f"""#!/bin/sh
number=$(ls "$TEST_IMAGES" | wc -l)
output="type=oci,dest=$TEST_IMAGES/$number.tar,{_EXPORT}"
bake() {{
    {buildx} bake --progress=plain --allow=fs.read=/ --allow=fs.write=/ {sets} "--set=*.output=$output" "$@"
}}
case "$1 $2" in
"buildx build" | "image build" | "builder build") shift 2 ;;
"buildx bake") shift 2; bake "$@"; exit ;;
"buildx "*) shift; exec {buildx} "$@" ;;
"build "*) shift ;;
"compose "*) shift; {compose} "$@" --print | bake --file=-; exit ;;
*) exit 0 ;;
esac
exec {buildx} build {contexts} --progress=plain --output "$output" "$@"
"""
        return {
            "docker": docker,
            "vault": '#!/bin/sh\necho "$VAULT_ANSWER"\n',
            # What sudo does by default: the caller's environment stays behind.
            "sudo": '#!/bin/sh\nexec env -i PATH="$PATH" HOME="$HOME" DOCKER_CONFIG="$DOCKER_CONFIG" '
            'BUILDX_BUILDER="$BUILDX_BUILDER" TEST_IMAGES="$TEST_IMAGES" "$@"\n',
        }


def _output_of(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def _filled(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the values that GitHub puts in the place of `${{ secrets.NAME }}` and `${{ env.NAME }}`."""
    return re.sub(r"\$\{\{\s*(?:secrets|env)\.(\w+)\s*\}\}", lambda match: secrets.get(match[1], ""), text)


def _gitlab_lines(path: Path) -> Iterator[str]:
    for job in yaml.safe_load(path.read_text(encoding="utf-8")).values():
        for section in ("before_script", "script", "after_script"):
            value = job.get(section, []) if isinstance(job, dict) else []
            yield from [value] if isinstance(value, str) else value
