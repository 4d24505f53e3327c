"""Organisations as pages: the register with its files, and the form by which one is changed."""

from fastapi import APIRouter

from services.membership.organizations.pages import editing, register

router = APIRouter(include_in_schema=False)
router.include_router(register.router)
router.include_router(editing.router)
