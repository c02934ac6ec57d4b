"""Which addresses may be connected to."""

import pytest

from gazecrop.sources.addresses import Addresses, networks


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001:80e::200e"]
)
def test_public_ones(address: str) -> None:
    assert Addresses().allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.1.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:1.1.1.1", "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::1.1.1.1", "64:ff9b:1::1", "64:ff9b:1:7f00:0:100::", "100::1", "2001::1",
        "2001:0:101:101::",
        "2001:db8::1", "2001:10::1", "2001:20::1", "2002:7f00:1::1", "2002:101:101::1", "3fff::1", "5f00::1",
        "4000::1",
        "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fe80::1%1", "fec0::1", "ff02::1", "ff0e::1",
        "", "x", "127.1", "0x7f000001", "1.1.1.1/32",
    ],
)  # fmt: skip
def test_others(address: str) -> None:
    assert not Addresses().allows(address)


def test_networks_of_the_setting() -> None:
    allowed = Addresses(networks(["10.20.0.0/16", "fd00:1::/32", "127.0.0.2/32"]))
    assert allowed.allows("10.20.255.1") and allowed.allows("fd00:1::9") and allowed.allows("127.0.0.2")
    assert allowed.allows("1.1.1.1")
    for other in (
        "10.21.0.1",
        "fd00:2::1",
        "127.0.0.1",
        "::ffff:10.20.0.1",
        "64:ff9b::a14:1",
        "2002:a14:1::",
    ):
        assert not allowed.allows(other)


def test_a_translated_address_needs_both() -> None:
    """An IPv6-only network reaches IPv4 through NAT64: its operator names that prefix, no private address follows."""
    allowed = Addresses(networks(["64:ff9b::/96"]))
    assert allowed.allows("64:ff9b::1.1.1.1")
    assert not allowed.allows("64:ff9b::10.0.0.1") and not allowed.allows("64:ff9b::127.0.0.1")
    assert Addresses(networks(["64:ff9b::/96", "10.0.0.0/8"])).allows("64:ff9b::10.0.0.1")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "x", "", "10.0.0.0/8/8"])
def test_networks_are_exact(text: str) -> None:
    with pytest.raises(ValueError):
        networks([text])
