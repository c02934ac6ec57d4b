"""Which addresses may be connected to: those of the public internet, and those of networks that a setting names."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beyond what `is_global` and the properties beside it refuse in every release of Python 3.11 and later.
_NEVER = [
    ip_network(each)
    for each in (
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is a cloud's metadata
        "168.63.129.16/32",  # Azure's host, a public address
        "192.0.0.0/24",  # protocols; 192.0.0.192 is a cloud's metadata
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # NAT64 of local use, in which the IPv4 address has no fixed place
        "2001::/23",  # Teredo and other protocols
        "3fff::/20",  # documentation
    )
]
_UNICAST = IPv6Network("2000::/3")  # all that is assigned of global unicast
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDR networks. Raises ValueError, also where bits after the prefix are set."""
    return tuple(ip_network(text) for text in texts)


class Addresses:
    """`private`: networks that are allowed though they are not public."""

    def __init__(self, private: Iterable[Network] = ()) -> None:
        self._private = tuple(private)

    def allows(self, text: str) -> bool:
        """Whether this address, as the resolver gave it, may be connected to."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        if isinstance(address, IPv6Address):
            embedded = list(_embedded(address))
            if embedded:
                # An address that is translated to an IPv4 address: both must be allowed.
                named = any(address in network for network in self._private)
                return named and all(self.allows(str(each)) for each in embedded)
        return any(address in network for network in self._private) or _is_public(address)


def _is_public(address: Address) -> bool:
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    if special or not address.is_global or any(address in network for network in _NEVER):
        return False
    return isinstance(address, IPv4Address) or address in _UNICAST


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that a translator or a tunnel would send this one's packets to."""
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo
    elif address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
