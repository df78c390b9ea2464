"""What the rules of approval requests refuse: a class for each refusal, with its words."""

from __future__ import annotations

from datetime import datetime

from domain.kernel.refusals import ASKING, Conflict, NotAcceptable, NotAllowed, NotFound


class NoSuchApproval(NotFound):
    """There is no such approval request."""

    title_zh = "没有该复核请求"
    found = "no approval request with this id that you asked for or that is asked of you"
    needed = "the id of one of yours"
    next_step = "look it up at /api/v1/approvals"
    next_step_zh = "请在 /api/v1/approvals 中查找"


class NobodyAsked(NotAcceptable):
    """Nobody is asked, or more than one."""

    title_zh = "须指明由谁复核"
    found = "neither a role nor an account, or both"
    needed = "either the role or the account that is asked"
    next_step = "send `role` or `actor`"
    next_step_zh = "请填写 role 或 actor 其中一项"


class NotForApproval(NotAcceptable):
    """It is no command that a second person can approve."""

    title_zh = "该请求不能提交复核"
    needed = "the path below /api/v1 of a command that takes a second person"
    next_step = "take the path from /openapi.json: a command with the header X-Confirmed-By"
    next_step_zh = "请对照 /openapi.json 填写可复核命令的路径"

    def __init__(self, found: str) -> None:
        super().__init__(found=found)


class ApprovalDecided(Conflict):
    """The approval request is decided."""

    title_zh = "该复核请求已办结"
    needed = "a request that still waits"
    next_step = "nothing is to be done; whoever needs it asks anew"
    next_step_zh = "该请求已办结；如仍需要，请重新提交"

    def __init__(self, state: str, by: str | None) -> None:
        super().__init__(found=f"a request that was {state}" + (f" by {by}" if by else ""))


class ApprovalLate(Conflict):
    """The approval request has expired."""

    code = "approval-expired"
    title_zh = "该复核请求已过期"
    needed = "an answer before that"
    next_step = "ask anew"
    next_step_zh = "该请求已过期，请重新提交"

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(found=f"a request that ended at {expires_at.isoformat()}")


class NotAskedOfYou(NotAllowed):
    """Somebody else is asked."""

    title_zh = "该请求并非由您复核"
    next_step = "have one of them look at it, or act in that role if you hold it"
    next_step_zh = "请由所请求的岗位或人员复核；如您担任该岗位，请切换岗位"

    def __init__(self, asked: str, role: str) -> None:
        super().__init__(found=f"somebody in the role {role}", needed=asked)


class NotYourRequest(NotAllowed):
    """Somebody else asked for it."""

    title_zh = "只能撤回本人的请求"
    needed = "whoever asked"
    next_step = "decline it instead, if it is asked of you"
    next_step_zh = "如由您复核，请予以退回"

    def __init__(self) -> None:
        super().__init__(found="somebody who did not ask for it")


class MachineCannotApprove(NotAllowed):
    """A machine is no second person."""

    title_zh = "机器账号不能复核"
    needed = "a person"
    next_step = "have a person approve it"
    next_step_zh = "请由人员复核"

    def __init__(self, actor: str) -> None:
        super().__init__(found=f"{actor}, which is a machine")


class SignInToAsk(NotAllowed):
    """Nobody knows who asks."""

    title_zh = "请先登录"
    found = "somebody of the public"
    needed = "an account"
    next_step = "sign in"
    next_step_zh = "请登录后再提交复核"


class CommandGone(Conflict):
    """The command's text is not kept any more."""

    title_zh = "请求内容已不再保存"
    found = "a request whose command was forgotten, or not restored with the store"
    needed = "the command as it was asked for"
    next_step = "have whoever asked for it ask anew"
    next_step_zh = "请由请求人重新提交复核请求"


class AskerMayNot(Conflict):
    """Whoever asked may not act any more."""

    title_zh = "请求人已无权办理"
    needed = "somebody who has the account and the role still"
    next_step = "have somebody else send the command, or ask anew"
    next_step_zh = "请由仍任该岗位的人员重新提交"

    def __init__(self, actor: str, role: str) -> None:
        super().__init__(found=f"{actor}, who left or is no {role} any more")


class SecondPersonNotAsked(Conflict):
    """A second person is asked, not typed."""

    title_zh = "第二人须由其本人复核"
    found = "a second person who was typed in"
    needed = "one who approves it in a session of their own"
    next_step = f"leave the second person out, and ask them: {ASKING}"
    next_step_zh = f"请勿填写第二人，改为提交复核请求：{ASKING}"
