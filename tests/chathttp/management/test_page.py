"""The console's web page, as the management port serves it."""

import re
from pathlib import Path
from typing import Final

import httpx
import pytest
import setuptools

import chatconsole
from chatconsole.api.messages import PREFIX
from chathttp.management.page import load_page
from tests.kit.console import console

ROOT: Final = Path(chatconsole.__file__).parent / "web"
MODULES: Final = sorted((ROOT / "js").rglob("*.js"))
ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


async def test_files_come_without_the_token_and_bear_the_security_headers() -> None:
    async with console() as client:
        here = f"127.0.0.1:{client.server.port}"
        async with httpx.AsyncClient(base_url=f"http://{here}") as http:
            for path in ("/", "/web/js/main.js", "/web/css/base.css", "/web/icon.svg"):
                answer = await http.get(path)
                assert answer.status_code == 200, path
                assert ALWAYS.items() <= dict(answer.headers).items()
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
                assert f"connect-src 'self' ws://{here};" in policy
                assert "unsafe" not in policy
            assert (await http.get("/")).headers["content-type"] == "text/html; charset=utf-8"
            assert (await http.get("/web/js/main.js")).headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/metrics", "/nowhere", "/web/", "/web/../beacon.py", f"{PREFIX}/snapshot", f"{PREFIX}/ws"]
)
async def test_every_other_answer_bears_them_too(path: str) -> None:
    async with console() as client, httpx.AsyncClient(base_url=f"http://127.0.0.1:{client.server.port}") as http:
        answer = await http.get(path)
        assert {**ALWAYS, "cache-control": ""}.keys() - {"cache-control"} <= answer.headers.keys()
        assert "content-security-policy" in answer.headers


async def test_page_is_refused_by_another_name_and_to_another_origin() -> None:
    async with console() as client, httpx.AsyncClient(base_url=f"http://127.0.0.1:{client.server.port}") as http:
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            answer = await http.get("/", headers=headers)
            assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
            assert "evil" not in answer.headers["content-security-policy"]


def test_every_reference_is_a_file_that_is_served() -> None:
    imported = re.compile(r"""^(?:import|export) [^;]*?from '([^']+)'""", re.MULTILINE)
    targets = [(module.parent / name).resolve() for module in MODULES for name in imported.findall(module.read_text())]
    page = (ROOT / "index.html").read_text()
    targets += [ROOT / name for name in re.findall(r"""(?:src|href)="/web/([^"]+)\"""", page)]
    assert len(targets) > len(MODULES)
    served = load_page()
    assert [each for each in targets if f"/web/{each.relative_to(ROOT)}" not in served] == []


def test_nothing_is_inline_and_no_text_is_parsed_as_markup() -> None:
    """What the Content-Security-Policy would block anyway; here it is found without a browser."""
    page = (ROOT / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page) == []
    forbidden = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function|cssText)\b")
    assert [
        (module.name, forbidden.findall(module.read_text()))
        for module in MODULES
        if forbidden.search(module.read_text())
    ] == []


def test_all_files_are_in_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the packaging's own rules: what `build_py` would copy."""
    monkeypatch.chdir(Path(__file__).parents[3])
    project = setuptools.Distribution()
    project.parse_config_files()
    project.include_package_data = False  # what version control lists, which an archive of the source has not
    build = project.get_command_obj("build_py")
    build.ensure_finalized()
    packed = {Path(name) for _, source, _, names in build.data_files for name in (Path(source, each) for each in names)}
    missing = [path for path in ROOT.rglob("*") if path.is_file() and path.relative_to(Path.cwd()) not in packed]
    assert missing == []
