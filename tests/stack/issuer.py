"""An OpenID Connect provider for tests: discovery, authorization with PKCE, tokens, keys, on a real socket.

It vouches for whoever a test says, and can be told to lie in one way at a time.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "cumulo-of-the-tests", "secret-of-the-tests"


@dataclass
class Issuer:
    """The running provider. `person` are the claims it gives; `lie` changes one thing."""

    address: str
    now: datetime
    person: dict[str, Any] = field(default_factory=dict)
    lie: str | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def code_for(self, location: str) -> tuple[str, str]:
        """What a person who is sent to `location` comes back with: state and code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return asked["state"], code

    async def _token(self, request: web.Request) -> web.Response:
        given = await request.post()
        asked = self.codes.pop(str(given.get("code")), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        verifier = hashlib.sha256(str(given.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        fits = asked is not None and asked["code_challenge"] == challenge
        fits = fits and request.headers.get("Authorization") == f"Basic {basic}"
        if not fits or asked is None or given.get("redirect_uri") != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {
            "iss": "https://somebody.example" if self.lie == "issuer" else self.address,
            "aud": "another" if self.lie == "audience" else CLIENT,
            "nonce": "another" if self.lie == "nonce" else asked["nonce"],
            "iat": self.now.timestamp(),
            "exp": (self.now + timedelta(minutes=-10 if self.lie == "expired" else 5)).timestamp(),
            **self.person,
        }
        key = RSAKey.generate_key(2048, {"kid": "k1"}) if self.lie == "key" else self.key
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)
        if self.lie == "none":
            header, body, _ = token.split(".")
            header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            token = f"{header}.{body}."
        return web.json_response({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    async def _described(self, request: web.Request) -> web.Response:
        return web.json_response({
            "issuer": self.address, "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys",
        })  # fmt: skip

    async def _keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})


@asynccontextmanager
async def running_issuer(now: datetime) -> AsyncIterator[Issuer]:
    """The provider on a free port of 127.0.0.1."""
    issuer = Issuer("", now)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer._described)
    app.router.add_get("/keys", issuer._keys)
    app.router.add_post("/token", issuer._token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        issuer.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield issuer
    finally:
        await asyncio.wait_for(runner.cleanup(), 5)
