"""What the rules of persons' rights refuse: a class for each refusal, with its words."""

from __future__ import annotations

from datetime import datetime

from domain.kernel.refusals import Conflict, NotAcceptable, NotAllowed, NotFound


class NoSuchRightsRequest(NotFound):
    """There is no such request about particulars."""

    title_zh = "没有该个人信息请求"
    found = "no request about particulars with this id that you may see"
    needed = "the id of a request"
    next_step = "look it up at /api/v1/rights, or your own at /api/v1/my/rights"
    next_step_zh = "请在 /api/v1/rights 查询；本人的请求请在 /api/v1/my/rights 查询"


class NobodyToAskFor(NotAcceptable):
    """Nothing is kept of whoever asks."""

    code = "nothing-kept-of-you"
    title_zh = "没有与您相关的个人信息"
    found = "a telephone that nobody in the vault has"
    needed = "particulars that the request can be about"
    next_step = "ask at the counter, with your identity card"
    next_step_zh = "请持身份证到营业厅办理"


class RightsRequestDecided(Conflict):
    """The request about particulars is decided."""

    title_zh = "该个人信息请求已答复"
    needed = "a request that waits for its answer"
    next_step = "nothing is to be done; whoever wants something else asks anew"
    next_step_zh = "该请求已答复；如另有需要，请重新提出"

    def __init__(self, state: str) -> None:
        super().__init__(found=f"a request that is {state}")


class RightsRequestNotGranted(Conflict):
    """The request about particulars is not granted."""

    title_zh = "该个人信息请求未获同意"
    needed = "a request that was granted and is not done"
    next_step = "grant it first; one that is refused or done is asked for anew"
    next_step_zh = "请先同意该请求；已拒绝或已办结的，请重新提出"

    def __init__(self, state: str) -> None:
        super().__init__(found=f"a request that is {state}")


class OtherRight(Conflict):
    """The request is about another right."""

    title_zh = "该请求属于其他权利类型"
    next_step = "end it in the way that belongs to its kind"
    next_step_zh = "请按该请求的类型办理"

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(found=f"a request to {found}", needed=f"a request to {needed}")


class CopyTimeOver(Conflict):
    """The time to take the copy is over."""

    title_zh = "领取期限已过"
    needed = "somebody who takes it before that"
    next_step = "ask anew"
    next_step_zh = "领取期限已过，请重新提出请求"

    def __init__(self, until: datetime) -> None:
        super().__init__(found=f"a copy that could be taken until {until.isoformat()}")


class CopyForThePerson(NotAllowed):
    """The copy is for the person alone."""

    title_zh = "该副本仅供本人领取"
    found = "a clerk, and a request whose asker was proven by their telephone alone"
    needed = "the person's own session, or a request that a clerk took down after seeing who asks"
    next_step = "have the person take it at /api/v1/my/rights, or take a request down at the counter"
    next_step_zh = "请本人通过 /api/v1/my/rights 领取，或在营业厅核验身份后重新登记"


class ErasureHindered(Conflict):
    """The person cannot be erased now."""

    title_zh = "现在不能删除该个人信息"
    needed = "no case of the person that runs, and the time for which it is kept over"
    next_step = "refuse the request with this ground, and offer a restriction"
    next_step_zh = "请以该理由答复，并告知可申请限制处理"

    def __init__(self, ground: str) -> None:
        super().__init__(found=ground)


class NotErasedYet(Conflict):
    """The person is not erased yet."""

    title_zh = "该个人信息尚未删除"
    found = "a subject of the request whose particulars are still kept"
    needed = "all of them erased"
    next_step = "erase each at /api/v1/subjects/{subject_id}/erasure, with a second person"
    next_step_zh = "请先逐一删除（须第二人复核），再办结该请求"


class NotOfThisRequest(NotAcceptable):
    """The person is none of the request's."""

    title_zh = "该人员不属于此请求"
    found = "a person whom the request does not name"
    needed = "one of the request's subjects"
    next_step = "look the subjects up in the request"
    next_step_zh = "请在请求中核对人员"


class NoCorrectedValue(NotAcceptable):
    """No corrected value is given."""

    title_zh = "未填写更正内容"
    found = "no value"
    needed = "a name, a telephone or an address"
    next_step = "send what is to be kept instead"
    next_step_zh = "请填写更正后的姓名、电话或地址"
