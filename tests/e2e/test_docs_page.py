"""The API's documentation page in a real browser."""

from playwright.sync_api import Browser, expect

from tests.kit.devserver import DevServer
from tests.kit.openapi import openapi


def test_the_page_shows_every_operation_within_its_content_security_policy(
    browser: Browser, dev_server: DevServer
) -> None:
    faults: list[str] = []
    addresses: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: addresses.append(request.url))
    page.goto(f"{dev_server.url}/docs")
    operations = sum(len(item.keys() - {"parameters"}) for item in openapi()["paths"].values())
    expect(page.locator(".opblock")).to_have_count(operations)
    page.get_by_text("/auth/login").first.click()
    expect(page.get_by_role("button", name="Try it out")).to_be_visible()
    page.close()
    assert faults == []
    assert [each for each in addresses if not each.startswith((dev_server.url, "data:"))] == []
