"""Pages of access: the door, Inicio and the own account, people and their roles, tokens of programs."""

from fastapi import APIRouter

from services.membership.access.pages import asking, door, invitations, own, people, programs

router = APIRouter()
for part in (asking, door, own, invitations, people, programs):
    router.include_router(part.router)
