"""What is refused about who asks: a class for each refusal, with its words. None says whether an account exists."""

from __future__ import annotations

from typing import ClassVar

from domain.kernel.refusals import Conflict, NotAcceptable, NotAllowed, NotFound, Refusal


class NotSignedIn(Refusal):
    """Whoever asks is not known."""

    abstract = True
    status: ClassVar[int] = 401


class WrongCredentials(NotSignedIn):
    """The account, the password or the code is wrong."""

    title_zh = "账号、密码或验证码不正确"
    found = "an account, a password and a code that do not belong together"
    needed = "those of one account"
    next_step = "check them; somebody who manages accounts can set a new password"
    next_step_zh = "请核对后重试；如忘记密码，请联系账号管理员重置"


class AccountLocked(Refusal):
    """Too many wrong attempts."""

    status: ClassVar[int] = 429
    title_zh = "尝试次数过多，账号暂时锁定"
    found = "too many wrong attempts for this account"
    needed = "a pause"
    next_step = "wait and try again, or have a new password set"
    next_step_zh = "请稍后再试，或联系账号管理员重置密码"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = max(1, round(seconds))


class CodeNeeded(NotSignedIn):
    """The account has a second factor."""

    title_zh = "请输入动态验证码"
    found = "a password without a code"
    needed = "the six digits of the authenticator app, or a recovery code"
    next_step = "send them as `code`"
    next_step_zh = "请输入身份验证器显示的六位数字或一次性恢复码"


class SessionEnded(NotSignedIn):
    """The session is over, or there never was one."""

    title_zh = "登录已失效"
    found = "a session that ended, or no session at all"
    needed = "a session, or a token"
    next_step = "sign in again"
    next_step_zh = "请重新登录"


class SessionLimited(NotAllowed):
    """Something is to be done first."""

    title_zh = "请先修改密码并启用动态验证码"
    needed = "a password of your own, and a second factor where the role needs one"
    next_step = "set the password (/api/v1/session/password) and the second factor (/api/v1/session/second-factor)"
    next_step_zh = "请先设置本人密码；该岗位还须启用动态验证码"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class SecondFactorSet(Conflict):
    """There is a second factor already."""

    title_zh = "已启用动态验证码"
    needed = "an account without one"
    next_step = "somebody who manages accounts can reset it"
    next_step_zh = "如需更换，请联系账号管理员重置"

    def __init__(self) -> None:
        super().__init__(found="a second factor that is set up")


class NoDemo(NotFound):
    """This is no demo."""

    title_zh = "并非演示环境"
    needed = "one of the demo's people, in the demo"
    next_step = "sign in with your account"
    next_step_zh = "请使用本人账号登录"

    def __init__(self) -> None:
        super().__init__(found="an installation, or somebody that the demo does not have")


class PasswordTooWeak(NotAcceptable):
    """The password is too weak."""

    title_zh = "密码强度不够"
    next_step = "choose a longer one, such as several words"
    next_step_zh = "请设置更长的密码，例如几个不相关的词"

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(found=found, needed=needed)


class WrongCode(NotAcceptable):
    """The code is wrong."""

    title_zh = "验证码不正确"
    found = "a code that the new second factor does not show"
    needed = "the six digits that the authenticator app shows now"
    next_step = "scan the picture again, check the telephone's clock, and send the next code"
    next_step_zh = "请重新扫码并核对手机时间，再输入新的验证码"


class NoSuchLink(NotFound):
    """The link opens nothing."""

    title_zh = "链接无效或已停用"
    found = "a link that there is not, or that was revoked"
    needed = "the newest link of your case"
    next_step = "ask the hotline or the counter for a new one"
    next_step_zh = "请向热线或窗口索取新的查询链接"


class WrongPhoneCode(NotSignedIn):
    """The telephone or the code is wrong."""

    title_zh = "手机号或验证码不正确"
    found = "a telephone and a code that do not belong together"
    needed = "the newest code, within five minutes and five tries"
    next_step = "check them, or ask for a new code"
    next_step_zh = "请核对后重试，或重新获取验证码"


class NotYourRole(NotAllowed):
    """The account does not have this role."""

    title_zh = "该账号没有此岗位"
    next_step = "choose one of your roles"
    next_step_zh = "请选择本账号的岗位"

    def __init__(self, role: str, roles: tuple[str, ...]) -> None:
        super().__init__(found=f"role {role}", needed="one of " + ", ".join(roles))
