"""What the rules of complaints and of satisfaction refuse: a class for each refusal, with its words."""

from __future__ import annotations

from datetime import datetime

from domain.kernel.refusals import Conflict, NotAcceptable, NotFound


class NoSuchComplaint(NotFound):
    """There is no such complaint."""

    title_zh = "没有该投诉"
    found = "no complaint with this id that you may see"
    needed = "the id of a complaint"
    next_step = "look it up at /api/v1/complaints, or your own at /api/v1/my/complaints"
    next_step_zh = "请在 /api/v1/complaints 查询；本人的投诉请在 /api/v1/my/complaints 查询"


class ComplaintIsAnswered(Conflict):
    """The complaint is answered."""

    code = "complaint-answered"
    title_zh = "该投诉已答复"
    needed = "a complaint that waits for its answer"
    next_step = "nothing is to be done; who is not satisfied takes it to the authority"
    next_step_zh = "该投诉已答复；对答复不满意的，可向主管部门投诉"

    def __init__(self, at: datetime) -> None:
        super().__init__(found=f"a complaint that was answered at {at.isoformat()}")


class ComplaintIsWithdrawn(Conflict):
    """The complaint was withdrawn."""

    code = "complaint-withdrawn"
    title_zh = "该投诉已撤回"
    found = "a complaint that was withdrawn"
    needed = "one that was not"
    next_step = "nothing is to be done; whoever complains again makes a new one"
    next_step_zh = "该投诉已撤回；如仍有意见，请重新提出"


class ComplaintIsEscalated(Conflict):
    """The complaint went to the authority already."""

    code = "complaint-escalated"
    title_zh = "该投诉已转主管部门"
    needed = "one that did not"
    next_step = "nothing is to be done; the authority answers"
    next_step_zh = "该投诉已转主管部门，请等待其答复"

    def __init__(self, at: datetime) -> None:
        super().__init__(found=f"a complaint that went to the authority at {at.isoformat()}")


class RemedyMissing(NotAcceptable):
    """A complaint is upheld without a remedy."""

    title_zh = "投诉成立但未说明处理措施"
    found = "an outcome in the person's favour, and no remedy"
    needed = "what is done about it"
    next_step = "say the remedy"
    next_step_zh = "请填写处理措施"


class ComplainantNotTold(NotAcceptable):
    """Nobody told whoever complained."""

    title_zh = "尚未向投诉人反馈结果"
    found = "a complaint of somebody who has no door of their own to see the answer, and no way by which they were told"
    needed = "the way by which they were told the outcome"
    next_step = "tell them, and send the answer with the way"
    next_step_zh = "请先向投诉人反馈结果，再连同反馈方式提交"


class NotServedYet(Conflict):
    """What the person is asked about is not done yet."""

    title_zh = "服务尚未完成，暂不能评价"
    found = "a case whose water is not on, or not back"
    needed = "water that is on, or a repair that is done"
    next_step = "wait until then; before that, complain"
    next_step_zh = "请在通水或修复后评价；此前如有意见，可提出投诉"


class SatisfactionSettled(Conflict):
    """The time to correct what was said is over."""

    title_zh = "评价已不能修改"
    next_step = "nothing is to be done; who has something to say complains"
    next_step_zh = "评价修改期限已过；如有意见，可提出投诉"

    def __init__(self, until: datetime) -> None:
        super().__init__(
            found=f"something that could be corrected until {until.isoformat()}",
            needed="a correction before that",
        )
