"""Access over HTTP: signing in and out, accounts and roles, tokens of programs."""

from fastapi import APIRouter

from services.membership.access.api import accounts, door, tokens

router = APIRouter()
for part in (door, accounts, tokens):
    router.include_router(part.router)
