"""What requests about accounts and sessions say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from api.http.fields import Body, Code
from domain.kernel.roles import ROLES

Password = Annotated[SecretStr, Field(max_length=256, description="The password. It is in no log and no answer.")]
Login = Annotated[str, Field(max_length=64, examples=["dispatcher-1"], description="Id of the account.")]
OneTimeCode = Annotated[
    str,
    Field(max_length=32, examples=["123456"], description="Six digits of the authenticator app, or a recovery code."),
]


class SignIn(Body):
    """Who signs in. ``bearer``: for a program, which gets a token instead of a cookie."""

    unscreened = frozenset({"code"})

    login: Login
    password: Password
    code: Annotated[OneTimeCode | None, Field(description="Where the account has a second factor.")] = None
    bearer: Annotated[bool, Field(description="Whether a token is wanted instead of a cookie.")] = False


class PasswordChange(Body):
    """The old password and the new one."""

    old: Password
    new: Password


class Confirmation(Body):
    """A code that shows that the new second factor works."""

    unscreened = frozenset({"code"})

    code: OneTimeCode


class RoleChoice(Body):
    """In which of one's roles the session goes on."""

    role: Annotated[str, Field(max_length=64, description="One of the account's roles.")]


class DemoChoice(Body):
    """Whom of the demo's people somebody wants to be."""

    actor: Login


class WorkGiven(Body):
    """What an actor may act as; every value is the whole new one."""

    roles: Annotated[
        list[str], Field(min_length=1, max_length=len(ROLES), description="Codes of the roles, the usual one first.")
    ]
    crew: Annotated[Code | None, Field(description="The repair crew that the actor is bound to; null: none.")] = None
    squad: Annotated[Code | None, Field(description="The squad that the actor is bound to; null: none.")] = None
    districts: Annotated[
        tuple[Code, ...], Field(max_length=100, description="The districts that the actor works in; empty: every one.")
    ] = ()
    scopes: Annotated[
        tuple[str, ...],
        Field(
            max_length=200,
            examples=[["readings.send"]],
            description="Powers that a machine is granted of those of its roles; empty: all of them.",
        ),
    ] = ()


class Joining(WorkGiven):
    """Somebody, or a machine, gets an account."""

    actor: Annotated[
        str,
        Field(
            max_length=64,
            examples=["dispatcher-7"],
            description="Id of the new account: small letters, digits and hyphens. It names nobody.",
        ),
    ]
    kind: Annotated[Literal["person", "machine"], Field(description="Whether it is a person or a machine.")] = "person"


class DemoAccount(BaseModel):
    """One of the demo's people."""

    actor: Annotated[str, Field(description="Id of the account.")]
    role: Annotated[str, Field(description="Its role.")]
    bound_to: Annotated[
        list[str], Field(description="Codes of the crew, the squad and the districts that it is bound to; empty: none.")
    ] = []


class SessionView(BaseModel):
    """Who the session is of, and what it may do."""

    actor: Annotated[str, Field(description="Id of who asks; `anonymous` without a session.")]
    role: Annotated[str, Field(description="The role in which the session acts.")]
    roles: Annotated[list[str], Field(description="Every role of the account.")]
    crew: Annotated[str | None, Field(description="The repair crew that the account is bound to; null: none.")] = None
    squad: Annotated[str | None, Field(description="The squad that the account is bound to; null: none.")] = None
    districts: Annotated[list[str], Field(description="Districts that the account works in; empty: every one.")] = []
    signed_in: Annotated[bool, Field(description="Whether there is a session.")] = True
    limited: Annotated[
        bool, Field(description="Whether the password or the second factor is to be set before anything else.")
    ] = False
    csrf_token: Annotated[
        str | None, Field(description="What a page sends as X-CSRF-Token with every change; null without a cookie.")
    ] = None
    token: Annotated[str | None, Field(description="The token, where one was asked for. It is shown once.")] = None
    by_provider: Annotated[bool, Field(description="Whether the identity provider said who it is.")] = False
    provider: Annotated[
        str | None,
        Field(description="What the identity provider is called, at /api/v1/session/oidc; null: there is none."),
    ] = None
    demo_accounts: Annotated[list[DemoAccount], Field(description="In the demo: whom one can be.")] = []
    leave_at: Annotated[
        str | None,
        Field(
            description="After a sign-out: the address at the identity provider where the browser signs out there too; "
            "null: the session did not begin there, or the provider has none."
        ),
    ] = None


class SecondFactor(BaseModel):
    """A second factor that is to be confirmed."""

    uri: Annotated[str, Field(description="Address for the authenticator app (otpauth). It is shown once.")]


class RecoveryCodes(BaseModel):
    """Codes that each replace the second factor once, and the session that goes on."""

    codes: Annotated[
        list[str], Field(description="The codes. They are shown once; none where the account has some already.")
    ]
    session: Annotated[SessionView, Field(description="The session that goes on, under a new token.")]


class TokenAnswer(BaseModel):
    """An access token (RFC 6749, client credentials)."""

    access_token: Annotated[str, Field(description="The token.")]
    token_type: Literal["Bearer"] = Field(default="Bearer", description="How it is sent: as Authorization: Bearer.")
    expires_in: Annotated[int, Field(description="Seconds until it ends.")]
    scope: Annotated[
        str, Field(description="The powers that it is narrowed to, with spaces between; empty: all of its roles'.")
    ] = ""


class PersonView(BaseModel):
    """An actor and what it may act as."""

    actor: Annotated[str, Field(description="Id of the account.")]
    kind: Annotated[Literal["person", "machine"], Field(description="Whether it is a person or a machine.")]
    roles: Annotated[list[str], Field(description="Codes of the roles.")]
    crew: Annotated[str | None, Field(description="The repair crew that the actor is bound to; null: none.")]
    squad: Annotated[str | None, Field(description="The squad that the actor is bound to; null: none.")]
    districts: Annotated[list[str], Field(description="The districts that the actor works in; empty: every one.")]
    scopes: Annotated[
        list[str], Field(description="Powers that a machine is granted of those of its roles; empty: all of them.")
    ] = []
    left: Annotated[bool, Field(description="Whether the actor may not act any more.")]


class People(BaseModel):
    """Every actor that ever had an account."""

    people: Annotated[list[PersonView], Field(description="By their ids.")]


class NewSecret(BaseModel):
    """A secret that is shown once."""

    actor: Annotated[str, Field(description="Id of the account.")]
    secret: Annotated[
        str,
        Field(description="A person's password for the first sign-in, within a day; a machine's secret. Shown once."),
    ]
