"""The web client's own modules: what they decide without a server, and that nothing foreign is among them."""

import json
import re
from pathlib import Path

import pytest

import chathttp
from tests.e2e.nodejs import HERE, run_node_tests

STATIC = Path(chathttp.__file__).parent / "static"
PACKAGE = HERE / "node_modules" / "@stomp" / "stompjs"
VENDORED = sorted((STATIC / "vendor" / "stompjs").glob("*.js"))


@pytest.mark.parametrize("script", sorted((HERE / "unit").glob("*.test.mjs")), ids=lambda path: path.stem)
def test_unit(script: Path) -> None:
    run_node_tests([script])


@pytest.mark.parametrize("vendored", VENDORED, ids=lambda path: path.name)
def test_the_vendored_module_is_the_packages_own(vendored: Path) -> None:
    assert vendored.read_bytes() == (PACKAGE / "esm6" / vendored.name).read_bytes()


def test_the_vendored_library_names_its_version_and_bears_its_licence() -> None:
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    directory = STATIC / "vendor" / "stompjs"
    assert f"# @stomp/stompjs {version}\n" in (directory / "README.md").read_text()
    assert (directory / "LICENSE").read_bytes() == (PACKAGE / "LICENSE").read_bytes()


def test_every_reference_of_the_client_is_a_file_that_is_served() -> None:
    imported = re.compile(r"""^(?:import|export) [^;]*?from '([^']+)'""", re.MULTILINE)
    modules = list(STATIC.rglob("*.js"))
    targets = [module.parent / name for module in modules for name in imported.findall(module.read_text())]
    page = (STATIC / "index.html").read_text()
    targets += [STATIC / name for name in re.findall(r"""(?:src|href)="/static/([^"]+)\"""", page)]
    assert len(targets) > len(modules)
    assert [target for target in targets if not target.is_file()] == []


def test_the_page_has_no_inline_script_or_style() -> None:
    """What the Content-Security-Policy would block anyway; here it is found without a browser."""
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page) == []


def test_users_text_is_never_parsed_as_markup() -> None:
    for module in (STATIC / "js").rglob("*.js"):
        found = re.findall(
            r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function)\b", module.read_text()
        )
        assert found == [], module
