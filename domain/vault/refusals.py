"""What the rules of the vault refuse: a class for each refusal, with its words."""

from __future__ import annotations

from domain.kernel.refusals import Conflict, NotFound


class NoSuchSubject(NotFound):
    """There is no such person in the vault."""

    title_zh = "没有该人员信息"
    found = "an id that the vault does not have"
    needed = "the id of a subject, as events and cases name it"
    next_step = "look it up by the telephone, or in the case"
    next_step_zh = "请按电话查找，或在案件中查看"


class SubjectErasedAlready(Conflict):
    """The person's particulars were erased before."""

    code = "subject-erased"
    title_zh = "该人员信息已删除"
    found = "a subject whose particulars were erased"
    needed = "one whose particulars are kept"
    next_step = "nothing is to be done"
    next_step_zh = "无需操作"


class SubjectRestricted(Conflict):
    """The use of the person's particulars is restricted."""

    title_zh = "该个人信息已限制使用"
    found = "a subject who asked that their particulars are not used"
    needed = "a crew or a squad on the way to the place, with the reason on-site"
    next_step = "work with the masked particulars; the restriction ends when the person asks for that"
    next_step_zh = "请使用脱敏信息办理；经本人申请可解除限制"
