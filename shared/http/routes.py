"""The class of our routes."""

from fastapi.routing import APIRoute


class Route(APIRoute):
    """A route of a service."""
