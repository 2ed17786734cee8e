"""Addresses that only this machine reaches."""

from ipaddress import ip_address


def is_private_address(host: str) -> bool:
    """A loopback address, or the absolute path of a Unix socket."""
    if host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
