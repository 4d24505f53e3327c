"""Which addresses a call may go to: every kind of inner network, every disguise, and the public ones that pass."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.addresses import (
    AddressNotAllowed,
    CredentialsInAddress,
    NotAnAddress,
    PortNotAllowed,
    SchemeNotAllowed,
    allowed_url,
    judge,
    kind_of,
)
from shared.runtime.settings import Settings

INNER = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1", "fec0::1"],
    "shared by a provider": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "link-local": ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "2001::1", "2001:20::1", "100::1", "4000::1", "5f00::1"],
    "documentation": ["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"],
    "benchmarking": ["198.18.0.1", "198.19.255.255"],
    "a relay of 6to4": ["192.88.99.1"],
    "the host of a cloud machine": ["168.63.129.16"],
    "an IPv4 address in disguise": [
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::",
    ],
}  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
          "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "223.255.255.255",
          "2001:200::1", "2606:4700:4700::1111", "2a00:1450:4001::1", "2003::1"]  # fmt: skip


@pytest.mark.parametrize(("kind", "address"), [(kind, each) for kind, those in INNER.items() for each in those])
def test_an_inner_address_is_refused_and_its_kind_is_told(kind: str, address: str) -> None:
    assert kind_of(ip_address(address)) == kind
    with pytest.raises(AddressNotAllowed, match=f"receiver.example leads to .*{kind}"):
        judge(address, (), host="receiver.example")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    judge(address, (), host="receiver.example")


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_what_the_standard_library_calls_private_is_never_called(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_link_local or address.is_reserved:
        assert kind_of(address) is not None


def settings(**more: object) -> Settings:
    return Settings.model_validate(more)


REFUSED = {
    AddressNotAllowed: [
        "https://127.0.0.1/", "https://localhost/", "https://localhost./", "https://a.localhost/", "https://LOCALHOST/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://10.1.2.3:8443/",
        "https://１２７.0.0.1/", "https://①②⑦.0.0.1/", "https://127。0。0。1/", "https://169.254.169.254/latest/meta-data",
    ],
    NotAnAddress: [
        "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/",
        "https://127.0.0.1./", "https://127.1./", "https://0x/", "https://%31%32%37.0.0.1/", "https://a..b/",
        "https://ex ample.com/", "https://example.com\\@127.0.0.1/", "https://example.com/\n", "https://example.com/\x00",
        "https://[::1", "https://[v1.x]/", "https://example.com:99999/", "https://example.com/" + "x" * 2048,
        "https://exa\u00admple.com/", "https://\ud800.com/", "https://1.2.3.4.5/", "https://256.1.1.1/",
    ],
    SchemeNotAllowed: [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/",
        "example.com", "", "javascript:alert(1)", "https:///x", "unix:/run/docker.sock",
    ],
    CredentialsInAddress: [
        "https://user:word@example.com/", "https://user@example.com/", "https://:word@example.com/",
        "https://example.com@127.0.0.1/", "https://@example.com/",
    ],
    PortNotAllowed: ["https://example.com:22/", "https://example.com:25/", "https://example.com:0/", "https://example.com:5432"],
}  # fmt: skip


@pytest.mark.parametrize(("refusal", "url"), [(refusal, url) for refusal, urls in REFUSED.items() for url in urls])
def test_an_address_of_the_wrong_form_is_refused_by_name(refusal: type[Exception], url: str) -> None:
    with pytest.raises(refusal) as refused:
        allowed_url(url, settings())
    assert refused.value.field == "url"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("https://example.com/hook?a=1&b=%20#part", "https://example.com/hook?a=1&b=%20"),
        ("HTTPS://EXAMPLE.COM:8443/", "https://example.com:8443/"),
        ("https://cúmulo.example/ñ", "https://xn--cmulo-7ua.example/%C3%B1"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://node123/", "https://node123/"),
        ("https://my_host.example./", "https://my_host.example./"),
    ],
)
def test_a_proper_address_is_called_as_it_stands(url: str, called: str) -> None:
    assert str(allowed_url(url, settings())) == called


def test_an_installation_names_what_it_calls_besides() -> None:
    own = settings(outgoing_allow="10.1.0.0/16, fd00:1::/32,127.0.0.1/32", outgoing_http=True, outgoing_ports="8025")
    for url in ("http://10.1.255.1:8025/", "https://[fd00:1::5]:8025/", "http://localhost:8025/"):
        allowed_url(url, own)
    for url in ("http://10.2.0.1:8025/", "https://[fd00:2::5]:8025/", "http://[::ffff:10.1.0.1]:8025/"):
        with pytest.raises(AddressNotAllowed):
            allowed_url(url, own)
    with pytest.raises(PortNotAllowed, match="8025"):
        allowed_url("https://example.com/", own)


@pytest.mark.parametrize("value", ["10.1.0.5/16", "10.1.0.0/33", "everywhere", "10.1.0.0-10.2.0.0"])
def test_a_network_that_is_none_stops_the_start(value: str) -> None:
    with pytest.raises(ValueError, match="outgoing_allow"):
        settings(outgoing_allow=value)
