import logging
import resource
from collections.abc import Generator

import pytest

from chathttp.cli.descriptors import OTHERS, allow_connections


@pytest.fixture(autouse=True)
def restored_limit() -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_soft_limit_rises_to_what_the_connections_need() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
    assert allow_connections(700) == 700
    assert soft_limit() == 700 + OTHERS


def test_a_limit_that_suffices_stays() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
    assert allow_connections(100) == 100
    assert soft_limit() == 2000


def test_what_the_hard_limit_does_not_allow_is_said(caplog: pytest.LogCaptureFixture) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with caplog.at_level(logging.WARNING):
        assert allow_connections(hard) == hard - OTHERS
    assert f"allows {hard - OTHERS} connections, not {hard}" in caplog.text
    assert soft_limit() == hard
