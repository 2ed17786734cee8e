"""Parts of a Markdown page that programs write, or read: each stands between two HTML comments of its name."""

import re


def part_of(page: str, name: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /name -->``. Raises ValueError when there is none."""
    return _match(page, name)[2]


def replace_part(page: str, name: str, text: str) -> str:
    """The page with another text in that part, which ends with a line's end. Raises ValueError as `part_of` does."""
    found = _match(page, name)
    return f"{page[: found.start(2)]}{text}{page[found.end(2) :]}"


def _match(page: str, name: str) -> re.Match[str]:
    found = re.search(rf"^(<!-- {name} -->\n)(.*?)^<!-- /{name} -->$", page, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"the page has no part {name}")
    return found
