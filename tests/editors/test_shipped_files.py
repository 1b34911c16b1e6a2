"""What is shipped for editors holds together: names, settings and commands agree with the server's."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from buildhush.config import OPTIONS
from buildhush.lsp.capabilities import COMMANDS
from buildhush.rules.registry import RULES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = json.loads((ROOT / "vscode-client/package.json").read_text(encoding="utf-8"))
SETTINGS = MANIFEST["contributes"]["configuration"]["properties"]
SHIPPED = ROOT / "server/editors"


def camel_case(key: str) -> str:
    return re.sub(r"-(.)", lambda match: match[1].upper(), key)


def test_every_setting_of_the_server_is_one_of_the_extension() -> None:
    wanted = {f"buildhush.{camel_case(option.key)}" for option in OPTIONS if option.field}
    own = {"path", "interpreter", "importStrategy", "trace.server"}
    assert set(SETTINGS) == wanted | {f"buildhush.{name}" for name in own}


def test_every_setting_is_described_and_has_a_default() -> None:
    for name, setting in SETTINGS.items():
        assert setting.get("markdownDescription") or setting.get("description"), name
        assert "default" in setting, name


def test_the_settings_offer_the_rules_that_exist() -> None:
    assert SETTINGS["buildhush.ignore"]["items"]["enum"] == list(RULES)
    assert list(SETTINGS["buildhush.severity"]["properties"]) == list(RULES)


def test_no_command_is_registered_twice() -> None:
    own = {command["command"] for command in MANIFEST["contributes"]["commands"]}
    assert not own & set(COMMANDS)


def test_a_workspace_that_is_not_trusted_can_not_choose_what_runs() -> None:
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert {"buildhush.path", "buildhush.interpreter", "buildhush.importStrategy"} <= set(restricted)


def test_the_walkthrough_calls_commands_and_examples_that_exist() -> None:
    own = {command["command"] for command in MANIFEST["contributes"]["commands"]}
    steps = MANIFEST["contributes"]["walkthroughs"][0]["steps"]
    text = " ".join(step["description"] for step in steps)
    assert set(re.findall(r"\(command:([\w.]+)", text)) <= own
    events = {event.removeprefix("onCommand:") for step in steps for event in step["completionEvents"]}
    assert events <= own
    numbers = re.findall(r"%22(\d)%22", text)
    examples = [path.name[0] for path in sorted((ROOT / "server/examples").glob("*.Dockerfile"))]
    assert numbers == examples == list("123456")
    for step in steps:
        assert (ROOT / "vscode-client" / step["media"]["markdown"]).is_file()


def test_the_snippets_read_and_start_the_server() -> None:
    helix = tomllib.loads((SHIPPED / "helix/languages.toml").read_text(encoding="utf-8"))
    assert helix["language-server"]["buildhush"] == {"command": "buildhush", "args": ["lsp"]}
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    snippets = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    assert sum("lsp" in json.dumps(snippet) for snippet in snippets) == 3
    ignored = next(snippet["buildhush.ignore"] for snippet in snippets if "buildhush.ignore" in snippet)
    assert set(ignored) <= set(RULES)
    assert "cmd = { 'buildhush', 'lsp' }" in (SHIPPED / "nvim/lsp/buildhush.lua").read_text(encoding="utf-8")
