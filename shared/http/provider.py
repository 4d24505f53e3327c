"""The OpenID Connect provider of an installation: where to send people, and whom it sends back.

Authorization code with PKCE; the identity token's signature, issuer, audience, nonce and times are checked
against the keys that the provider publishes.
"""

from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.refusal import NotFound, Refusal
from shared.runtime.service import Service

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]
"""Signatures that a provider may use: public keys only, never a shared secret or none."""
SECONDS = 10.0
LEEWAY = 60


class Visit(NamedTuple):
    """What the provider must hand back or be shown: state, nonce, and the PKCE verifier; and where to go then."""

    state: str
    nonce: str
    verifier: str
    goes_to: str


class Stranger(NamedTuple):
    """Somebody as the provider describes them, its signature checked."""

    issuer: str
    subject: str
    mail: str | None
    mail_verified: bool


class NoProvider(NotFound):
    """No OpenID Connect provider is set up here."""


class ProviderAway(Refusal):
    """The provider does not answer, or not as its standard says."""

    status = 503


class ProviderRefused(Refusal):
    """The provider does not vouch for this person."""

    status = 401


async def _described(client: httpx.AsyncClient, service: Service) -> dict[str, Any]:
    """The provider's own description. Raises `NoProvider`, `ProviderAway`."""
    issuer = service.settings.provider_issuer
    if issuer is None or service.settings.provider_client_id is None:
        raise NoProvider("no OpenID Connect provider is set up here")
    answer = await client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    if found.get("issuer") != issuer:
        raise ProviderAway("the provider describes itself as another than CUMULO_PROVIDER_ISSUER")
    return found


async def address(service: Service, visit: Visit, returns_to: str) -> str:
    """Where to send somebody who wants to sign in there. Raises `NoProvider`, `ProviderAway`."""
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            described = await _described(client, service)
        endpoint = str(described["authorization_endpoint"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _away(service, error) from error
    query = {
        "response_type": "code", "client_id": service.settings.provider_client_id, "redirect_uri": returns_to,
        "scope": "openid email profile", "state": visit.state, "nonce": visit.nonce,
        "code_challenge": create_s256_code_challenge(visit.verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


async def vouched(service: Service, visit: Visit, code: str, returns_to: str) -> Stranger:
    """Whom a code stands for. Raises `ProviderRefused`, `ProviderAway`."""
    settings = service.settings
    secret = settings.provider_client_secret.get_secret_value() if settings.provider_client_secret else None
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            described = await _described(client, service)
            keys = KeySet.import_key_set((await client.get(str(described["jwks_uri"]))).raise_for_status().json())
            form = {
                "grant_type": "authorization_code", "code": code, "redirect_uri": returns_to,
                "code_verifier": visit.verifier, "client_id": str(settings.provider_client_id),
            }  # fmt: skip
            if secret is not None:
                client.auth = httpx.BasicAuth(str(settings.provider_client_id), secret)
            answer = await client.post(str(described["token_endpoint"]), data=form)
            if 400 <= answer.status_code < 500:
                service.log.warning("provider.refused", status=answer.status_code)
                raise ProviderRefused("the provider did not confirm this sign-in; begin again")
            granted = answer.raise_for_status().json()
    except (
        httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, KeyError, TypeError, AttributeError
    ) as error:  # fmt: skip
        raise _away(service, error) from error
    return _stranger(service, visit, granted.get("id_token") if isinstance(granted, dict) else None, keys)


def _stranger(service: Service, visit: Visit, token: Any, keys: KeySet) -> Stranger:
    now = int(service.clock().timestamp())
    registry = jwt.JWTClaimsRegistry(
        now=now, leeway=LEEWAY,
        iss={"essential": True, "value": str(service.settings.provider_issuer)},
        aud={"essential": True, "value": str(service.settings.provider_client_id)},
        sub={"essential": True}, exp={"essential": True}, nonce={"essential": True, "value": visit.nonce},
    )  # fmt: skip
    try:
        claims = jwt.decode(str(token), keys, algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        service.log.warning("provider.token_refused", error=type(error).__name__)
        raise ProviderRefused("the provider did not confirm this sign-in; begin again") from error
    mail = claims.get("email")
    return Stranger(
        str(claims["iss"]), str(claims["sub"]), str(mail) if mail else None, claims.get("email_verified") is True
    )


def _away(service: Service, error: Exception) -> ProviderAway:
    service.log.warning("provider.away", error=type(error).__name__)
    return ProviderAway("the provider does not answer; sign in by a link, or try again")
