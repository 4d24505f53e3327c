"""Which addresses of the web are called: their form, and the networks that no call goes to.

Kept as data from IANA's special-purpose registries, not taken from the standard library, whose answers
change with its version. An installation names inner networks that it does call in `CUMULO_OUTGOING_ALLOW`.
"""

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from yarl import URL

from shared.refusal import Refusal, Word
from shared.runtime.settings import Settings

MAX_LENGTH = 2048

_KINDS_4 = {
    "0.0.0.0/8": "unspecified", "10.0.0.0/8": "private", "100.64.0.0/10": "shared by a provider",
    "127.0.0.0/8": "loopback", "169.254.0.0/16": "link-local", "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved", "192.0.2.0/24": "documentation", "192.88.99.0/24": "a relay of 6to4",
    "192.168.0.0/16": "private", "198.18.0.0/15": "benchmarking", "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation", "224.0.0.0/4": "multicast", "240.0.0.0/4": "reserved",
    "168.63.129.16/32": "the host of a cloud machine",
}  # fmt: skip
"""IANA special-purpose IPv4 registry, and the one public address under which Azure answers its own machines."""

_KINDS_6 = {
    "::/128": "unspecified", "::1/128": "loopback", "::ffff:0:0/96": "an IPv4 address in disguise",
    "::/96": "an IPv4 address in disguise", "64:ff9b::/96": "an IPv4 address in disguise",
    "64:ff9b:1::/48": "an IPv4 address in disguise", "2001::/23": "reserved", "2001:db8::/32": "documentation",
    "2002::/16": "an IPv4 address in disguise", "3fff::/20": "documentation", "fc00::/7": "private",
    "fe80::/10": "link-local", "fec0::/10": "private", "ff00::/8": "multicast",
}  # fmt: skip
"""IANA special-purpose IPv6 registry; of the rest only 2000::/3 has been given out."""

_REFUSED_4 = [(IPv4Network(network), kind) for network, kind in _KINDS_4.items()]
_REFUSED_6 = [(IPv6Network(network), kind) for network, kind in _KINDS_6.items()]
_GIVEN_OUT = IPv6Network("2000::/3")
_NUMERIC = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$")
_AUTHORITY = re.compile(r"[a-z]+://([^/?#]*)", re.IGNORECASE)
_NAME = re.compile(r"(?=.{1,254}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")


class AddressNotAllowed(Refusal):
    """The call would go to an address of the inside: loopback, private, link-local, reserved, …"""


class NotAnAddress(Refusal):
    """What was given is no address of the web."""


class SchemeNotAllowed(Refusal):
    """Calls go out over https, over http only where the installation allows it."""


class PortNotAllowed(Refusal):
    """The installation does not call this port."""


class CredentialsInAddress(Refusal):
    """A name or password stands in the address, where logs would tell it."""


Address = IPv4Address | IPv6Address
Allowed = Sequence[IPv4Network | IPv6Network]


def kind_of(address: Address) -> str | None:
    """What keeps calls from an address, in a word ("private"), or None for one of the public internet."""
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _REFUSED_4 if address in network), None)
    if found := next((kind for network, kind in _REFUSED_6 if address in network), None):
        return found
    return None if address in _GIVEN_OUT else "reserved"


def judge(address: str, allow: Allowed, *, host: str) -> None:
    """Raises `AddressNotAllowed` unless the address is public or in one of the allowed networks."""
    found = ipaddress.ip_address(address)
    if any(found in network for network in allow if network.version == found.version):
        return
    if kind := kind_of(found):
        raise AddressNotAllowed(
            "{host} leads to an address that is not called ({kind})", host=host, kind=Word(kind), field="url"
        )


def allowed_url(url: str, settings: Settings) -> URL:
    """The address as it would be called. Judges its form and addresses that stand in it, without asking the DNS.

    For forms in which people enter an address; a name is judged when it is called. Raises `NotAnAddress`,
    `SchemeNotAllowed`, `PortNotAllowed`, `CredentialsInAddress`, `AddressNotAllowed`, all of the field `url`.
    """
    if len(url) > MAX_LENGTH:
        raise NotAnAddress("an address has at most {most} characters", most=MAX_LENGTH, field="url")
    if not url.isprintable() or any(char in ' \\"<>' for char in url):
        raise NotAnAddress("an address has no blanks, backslashes or control characters", field="url")
    authority = found[1] if (found := _AUTHORITY.match(url)) else ""
    if "@" in authority:
        raise CredentialsInAddress("an address holds no user or password", field="url")
    try:
        parsed = URL(url)
        host, port = (parsed.raw_host or "").lower(), parsed.port
    except ValueError as error:
        raise NotAnAddress("this is no address of the web: {why}", why=error, field="url") from None
    if parsed.scheme not in ("http", "https") or not host:
        raise SchemeNotAllowed("an address begins with https:// and a host", field="url")
    if parsed.scheme == "http" and not settings.outgoing_http:
        raise SchemeNotAllowed("an address begins with https://", field="url")
    if port not in settings.outgoing_ports:
        ports = ", ".join(str(each) for each in settings.outgoing_ports)
        raise PortNotAllowed("port {port} is not called; those that are: {ports}", port=port, ports=ports, field="url")
    if "[" in authority and ":" not in host:
        raise NotAnAddress("between brackets stands an IPv6 address", field="url")
    _judge_host(host, settings.outgoing_allow)
    return parsed.with_fragment(None)


def _judge_host(host: str, allow: Allowed) -> None:
    if ":" in host or _NUMERIC.search(host):
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:  # 2130706433, 0x7f.1, 0177.0.0.1, 127.1 and the like: every program reads them differently
            raise NotAnAddress(
                "{host} is neither a name nor an address in its usual form", host=host, field="url"
            ) from None
        if isinstance(literal, IPv6Address) and literal.scope_id:
            raise AddressNotAllowed("{host} is an address of one network card", host=host, field="url")
        judge(host, allow, host=host)
    elif not _NAME.fullmatch(host):
        raise NotAnAddress("{host} is not the name of a host", host=host[:80], field="url")
    elif host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        judge("127.0.0.1", allow, host=host)
