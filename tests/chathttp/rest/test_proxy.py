from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathttp.rest.proxy import client_address, is_forwarded_https, is_trusted
from chathttp.settings import Settings

TRUSTED = Settings().trusted_proxies


@pytest.mark.contract("header X-Forwarded-For")
@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("203.0.113.5", None, "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 192.168.1.1,127.0.0.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_the_rightmost_untrusted_address(peer: str, header: str | None, client: str) -> None:
    assert client_address(peer, header, TRUSTED) == client


@given(st.text(max_size=60))
def test_nothing_in_the_header_makes_an_untrusted_peer_someone_else(header: str) -> None:
    assert client_address("203.0.113.5", header, TRUSTED) == "203.0.113.5"


@given(st.lists(st.one_of(st.ip_addresses().map(str), st.text(max_size=8)), max_size=6).map(",".join))
def test_what_comes_out_is_an_address(header: str) -> None:
    ip_address(client_address("10.0.0.1", header, TRUSTED))


def test_only_listed_networks_are_trusted() -> None:
    assert is_trusted("192.0.2.7", [ip_network("192.0.2.0/24")])
    assert not is_trusted("192.0.3.7", [ip_network("192.0.2.0/24")])
    assert not is_trusted("", TRUSTED)


@pytest.mark.contract("header X-Forwarded-Proto")
def test_https_is_believed_only_from_a_trusted_proxy_and_by_its_own_entry() -> None:
    assert is_forwarded_https("10.0.0.1", "https", TRUSTED)
    assert is_forwarded_https("10.0.0.1", "http, HTTPS", TRUSTED)
    assert not is_forwarded_https("10.0.0.1", "https, http", TRUSTED)
    assert not is_forwarded_https("10.0.0.1", "", TRUSTED)
    assert not is_forwarded_https("203.0.113.5", "https", TRUSTED)
