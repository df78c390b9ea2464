"""What is refused while somebody signs in at an identity provider. None repeats what the provider or a token said."""

from __future__ import annotations

from domain.kernel.refusals import NotAllowed, NotFound, Refusal
from infra.identity.refusals import NotSignedIn


class OidcNotSetUp(NotFound):
    """There is no identity provider."""

    title_zh = "未配置统一身份认证"
    found = "an installation without an identity provider"
    needed = "TONGSHUI_OIDC_ISSUER and TONGSHUI_OIDC_CLIENT_ID"
    next_step = "sign in with your account and password at /login"
    next_step_zh = "请在登录页使用账号和密码登录"


class OidcProviderUnavailable(Refusal):
    """The identity provider cannot be asked."""

    status = 503
    title_zh = "统一身份认证暂不可用"
    retry_after_seconds = 5
    needed = "the provider's answer, as OpenID Connect describes it"
    next_step = "try again in a moment, or sign in with your account and password"
    next_step_zh = "请稍后重试，或使用账号和密码登录"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class OidcStateMismatch(NotSignedIn):
    """The answer belongs to no sign-in of this browser."""

    title_zh = "登录请求已失效"
    found = "an answer to a sign-in that this browser did not begin, began too long ago, or ended already"
    needed = "the answer to the last sign-in of this browser, within ten minutes"
    next_step = "begin again at /login"
    next_step_zh = "请返回登录页重新登录"


class OidcDenied(NotSignedIn):
    """The identity provider did not let you in."""

    title_zh = "统一身份认证未通过"
    found = "access_denied from the provider"
    needed = "a sign-in that you or the provider did not break off"
    next_step = "begin again at /login, or ask whoever runs the provider"
    next_step_zh = "请重新登录，或联系统一身份认证管理员"


class OidcProviderError(NotSignedIn):
    """The identity provider answered with an error."""

    title_zh = "统一身份认证返回错误"
    needed = "a code of the provider"
    next_step = "begin again at /login; if it stays so, have the client's registration at the provider compared"
    next_step_zh = "请重新登录；如仍失败，请管理员核对统一身份认证中的客户端登记"

    def __init__(self, error: str) -> None:
        super().__init__(found=f"{error} from the provider")


class OidcCodeRefused(NotSignedIn):
    """The identity provider does not take its code back."""

    title_zh = "登录凭据已失效"
    found = "a code that the provider refuses, since it was used or is too old"
    needed = "a new one"
    next_step = "begin again at /login"
    next_step_zh = "请返回登录页重新登录"


class OidcTokenInvalid(NotSignedIn):
    """The identity provider's token is not acceptable."""

    title_zh = "身份令牌校验未通过"
    needed = "a token of the configured provider, signed by one of its keys, for this client and this sign-in"
    next_step = "begin again at /login; if it stays so, have the provider's settings and the clocks compared"
    next_step_zh = "请重新登录；如仍失败，请管理员核对统一身份认证配置和服务器时间"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class OidcClaimMissing(NotSignedIn):
    """The identity provider does not say which account it is."""

    title_zh = "身份令牌缺少账号信息"
    next_step = (
        "have the provider put the claim into the ID token, or set TONGSHUI_OIDC_ACTOR_CLAIM or TONGSHUI_OIDC_SCOPE"
    )
    next_step_zh = "请管理员在统一身份认证中加入该声明，或修改系统设置"

    def __init__(self, claim: str) -> None:
        super().__init__(found=f"a token without the claim {claim}", needed=f"{claim}: the id of an account")


class OidcAccountUnknown(NotAllowed):
    """The identity provider names nobody who may sign in here."""

    title_zh = "该身份没有可用账号"
    found = "an identity that names no account of a person who works here"
    needed = "an account with that id, of somebody who joined and has not left"
    next_step = "ask somebody who manages accounts to give you one"
    next_step_zh = "请联系账号管理员开通账号"


class SecondFactorNeeded(NotAllowed):
    """A second factor is needed."""

    title_zh = "该岗位须双重验证"
    found = "a sign-in at the identity provider without a second factor"
    needed = "a second factor, since one of the account's roles needs one"
    next_step = (
        "sign in at the provider with a second factor, or show a code of your account's "
        "(/api/v1/session/second-factor, and its confirmation)"
    )
    next_step_zh = "请在统一身份认证中使用双重验证重新登录，或在登录页输入本账号的动态验证码"
