"""The command line as a whole: help, mistakes, documents, completion, manual page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buildhush import __version__
from buildhush.cli import completion, manual
from buildhush.cli.main import COMMANDS
from buildhush.rules.registry import RULES

from .conftest import LEAKS, Run


def test_help_lists_every_command(run: Run) -> None:
    outcome = run("--help")
    assert outcome.status == 0
    listed = {line.split()[0] for line in outcome.out.splitlines() if line.startswith("    ")}
    assert set(COMMANDS) <= listed
    for name in COMMANDS:
        assert run(name, "--help").status == 0


def test_mistakes_are_explained_with_status_2(run: Run) -> None:
    assert run().status == 2
    assert run("chekc").err == "buildhush: `chekc` is no command; did you mean `check`?\n"
    assert run("check", "--format", "xml").status == 2
    assert run("check", "--nothing").status == 2


def test_the_version(run: Run) -> None:
    assert run("--version").out == f"buildhush {__version__}\n"
    assert run("version").out.startswith(f"buildhush {__version__} (Python ")


def test_it_runs_as_a_module_and_as_a_command() -> None:
    module = subprocess.run(
        [sys.executable, "-m", "buildhush", "--version"], capture_output=True, text=True, check=True
    )
    command = Path(sys.executable).with_name("buildhush")
    installed = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert module.stdout == installed.stdout == f"buildhush {__version__}\n"


def test_an_interrupt_ends_it_quietly(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from buildhush.cli import check

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    (folder / "Dockerfile").write_text(LEAKS["clean"])
    monkeypatch.setattr(check, "check_files", interrupted)
    assert run("check").status == 130


def test_explain(run: Run, folder: Path) -> None:
    from buildhush.rules.documents import render

    outcome = run("explain", "secret-in-arg")
    assert (outcome.status, outcome.out.rstrip()) == (0, render(RULES["secret-in-arg"]).rstrip())
    everything = run("explain", "--all").out
    assert all(f"# {rule_id}\n" in everything for rule_id in RULES)
    assert run("explain", "--all", "--directory", "pages").status == 0
    assert sorted(path.stem for path in (folder / "pages").iterdir()) == sorted(RULES)
    assert run("explain").status == 2
    assert "did you mean `secret-in-env`?" in run("explain", "secret-in-envs").err


def test_explain_on_a_terminal_is_rendered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome = run("explain", "secret-in-arg")
    assert "\x1b[" in outcome.out
    assert "```" not in outcome.out


def test_the_list_of_rules(run: Run) -> None:
    listed = json.loads(run("rules", "--format", "json").out)["rules"]
    assert [each["id"] for each in listed] == list(RULES)
    assert {each["id"]: each["fixable"] for each in listed} == {rule.id: rule.fixable for rule in RULES.values()}
    assert [line.split()[0] for line in run("rules").out.splitlines()] == list(RULES)


def complete(words: str) -> list[str]:
    """What bash offers behind `words`, the last of which is being typed."""
    script = completion.bash(completion.shapes(), tuple(RULES))
    ask = f"""
{script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_buildhush
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes() -> None:
    assert complete("buildhush che") == ["check"]
    assert complete("buildhush check --form") == ["--format"]
    assert complete("buildhush check --format sa") == ["sarif"]
    assert complete("buildhush explain secret-in-a") == ["secret-in-arg"]
    assert complete("buildhush check --select secret-in-e") == ["secret-in-env"]
    assert complete("buildhush completion z") == ["zsh"]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_shell_gets_every_command_and_option(run: Run, shell: str) -> None:
    script = run("completion", shell).out
    for command in completion.shapes():
        assert command.name in script
        for option in command.options:
            for name in option.names:
                spelt = name if shell != "fish" else f"-l {name[2:]} " if name.startswith("--") else f"-s {name[1:]} "
                assert spelt in script
    interpreter = shutil.which(shell)
    if interpreter is not None:
        check = ["-n"] if shell != "fish" else ["--no-execute"]
        subprocess.run([interpreter, *check, "/dev/stdin"], input=script, text=True, check=True)


def test_the_manual_page_names_every_option() -> None:
    page = manual.page()
    assert page.startswith(".TH BUILDHUSH 1")
    for command in completion.shapes():
        assert f".SH {command.name.upper()}\n" in page
        for option in command.options:
            for name in option.names:
                assert name.replace("-", "\\-") in page
    assert not any(line.startswith("'") for line in page.splitlines())
