"""One declaration per endpoint, from which the routes, OpenAPI and the page of docs/ are made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from spektron_edge.roles import Role

from .services import Page
from .sessions import Session

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Answer = BaseModel | Response


class Given(BaseModel):
    """Base of what a browser sends: nothing that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Told(BaseModel):
    """Base of what a browser is told."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


class Nothing(Given):
    """No query, no parameters of the path."""


@dataclass(frozen=True)
class Upload:
    """A body that is no JSON, as it comes. length: bytes, as announced."""

    chunks: AsyncIterator[bytes]
    length: int


@dataclass(frozen=True)
class Call:
    """A request that may be answered. path, query, body: as declared; token: of the session."""

    page: Page
    session: Session | None
    token: str
    address: str
    path: Any
    query: Any
    body: Any

    @property
    def who(self) -> Session:
        """Whoever is signed in; endpoints with a role have somebody."""
        assert self.session is not None  # noqa: S101  routing has answered 401 otherwise
        return self.session


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Endpoint:
    """method, path: below /api/v1; role: the least that may, None: nobody needs to sign in; what:
    in a sentence; answer: model, or a media type; signed: whether the password is asked again;
    takes: media type of an `Upload`, where the body is no JSON."""

    method: Method
    path: str
    role: Role | None
    what: str
    handler: Handler
    answer: type[BaseModel] | str
    body: type[BaseModel] | None = None
    query: type[BaseModel] = Nothing
    parameters: type[BaseModel] = Nothing
    signed: str = ""
    status: int = 200
    also: Mapping[int, str] | None = None
    takes: str = ""

    @property
    def writes(self) -> bool:
        """Whether it changes something: then it needs what another site cannot send."""
        return self.method != "GET"


def as_json(answer: BaseModel, status: int = 200) -> Response:
    """A model as the whole answer."""
    return Response(answer.model_dump_json(), status, media_type="application/json")
