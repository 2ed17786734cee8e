"""The kinds of settings: how each is parsed from its environment variable, and what it may be.

Every maker returns an ``attrs.field`` whose metadata bears ``doc`` (one line) and ``parse`` (from the variable's text).
The check is the field's validator, so a value given in code is held to the same range as one from the environment.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, cast

import attrs

PREFIX: Final = "STACKMENTOR_"

Network: TypeAlias = IPv4Network | IPv6Network

_T = TypeVar("_T")
_ORIGIN: Final = re.compile(r"https?://([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?")
_DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+\-]+/[A-Za-z0-9!#$&^_.+\-]+")
_YEAR: Final = 366 * 86_400.0


class SettingsError(ValueError):
    """A wrong, unknown or missing setting; the message is one line that names the variable."""


def variable_of(name: str) -> str:
    """The environment variable of the field ``name``: ``max_headers`` → ``STACKMENTOR_MAX_HEADERS``."""
    return PREFIX + name.upper()


def _field(
    default: _T, doc: str, parse: Callable[[str], _T], check: Callable[[_T], None], *, secret: bool = False
) -> _T:
    def validate(_: object, attribute: "attrs.Attribute[_T]", value: _T) -> None:
        try:
            check(value)
        except ValueError as error:
            raise SettingsError(f"{variable_of(attribute.name)} {error}") from None

    return attrs.field(default=default, repr=not secret, validator=validate, metadata={"doc": doc, "parse": parse})


def integer(default: int, doc: str, *, least: int = 1, most: int = 2**31 - 1) -> int:
    """A whole number from ``least`` to ``most``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError("must be a whole number")
        return int(text)

    def check(value: int) -> None:
        if not least <= value <= most:
            raise ValueError(f"must be from {least} to {most}, not {value}")

    return _field(default, doc, parse, check)


def number(default: float, doc: str, *, least: float = 0.001, most: float = _YEAR) -> float:
    """A decimal number from ``least`` to ``most``: a rate or a duration in seconds."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", text):
            raise ValueError("must be a number")
        return float(text)

    def check(value: float) -> None:
        if not least <= value <= most:
            raise ValueError(f"must be from {least:g} to {most:g}, not {value:g}")

    return _field(default, doc, parse, check)


def text(default: str, doc: str, *, pattern: str, shape: str, secret: bool = False) -> str:
    """A text that ``pattern`` matches whole; ``shape`` says so in words. A secret is kept out of ``repr``."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"must be {shape}")

    return _field(default, doc, str, check, secret=secret)


def url(doc: str, *schemes: str, secret: bool = False) -> str:
    """A URL of one of ``schemes``, or empty, the default."""
    pattern = rf"(({'|'.join(schemes)})://[!-~]+)?"
    return text("", doc, pattern=pattern, shape=f"a URL of {', '.join(schemes)}", secret=secret)


def choice(default: _T, doc: str, choices: tuple[_T, ...]) -> _T:
    """One of ``choices``."""

    def parse(text: str) -> _T:
        return cast("_T", text)

    def check(value: _T) -> None:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(map(str, choices))}, not {value}")

    return _field(default, doc, parse, check)


def switch(default: bool, doc: str) -> bool:
    """``true`` or ``false``."""

    def parse(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"must be true or false, not {text}")
        return text.lower() == "true"

    return _field(default, doc, parse, lambda _: None)


def directory(default: str, doc: str) -> Path:
    """A directory, which need not be there yet."""
    return _field(Path(default), doc, Path, lambda _: None)


def listing(default: str, doc: str, item: Callable[[str], _T]) -> tuple[_T, ...]:
    """Items separated by commas."""

    def parse(text: str) -> tuple[_T, ...]:
        return tuple(item(part.strip()) for part in text.split(",") if part.strip())

    return _field(parse(default), doc, parse, lambda _: None)


def network(text: str) -> Network:
    """``10.0.0.0/8``"""
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"must list networks such as 10.0.0.0/8, not {text}") from None


def origin(text: str) -> str:
    """``https://app.example.com``, as RFC 6454 serialises it, in lower case."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"must list origins such as https://app.example.com, not {text}")
    return text.lower()


def media_type(text: str) -> str:
    """``image/png``, in lower case."""
    if not _MEDIA_TYPE.fullmatch(text):
        raise ValueError(f"must list media types such as image/png, not {text}")
    return text.lower()


def domain(text: str) -> str:
    """``example.com``, in lower case."""
    if not _DOMAIN.fullmatch(text.lower()):
        raise ValueError(f"must list domains such as example.com, not {text}")
    return text.lower()
