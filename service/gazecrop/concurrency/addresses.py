"""Addresses of clients, as far as they are one client."""

from ipaddress import IPv6Address, IPv6Network, ip_address


def subscriber(address: str) -> str:
    """An IPv6 address counts as its /64 network, the smallest that a subscriber has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has none
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((int(parsed), 64), strict=False))
    return address
