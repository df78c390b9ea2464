"""A refusal: the rulebook says no, before any event exists.

Each refusal is a class, in the slice whose rule it is: its code, its words and the next step stand in one place, in
both languages; the answer of the API and what the command line prints are made from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from domain.kernel.law import Citation

ASKING = "POST /api/v1/approvals"
"""Where a second person is asked: the next step wherever one is needed."""

_WORD = re.compile(r"[A-Z][a-z]*")
_known: dict[str, type[Refusal]] = {}


class Refusal(Exception):
    """A command that the rules do not allow.

    A subclass says what kind of refusal it is by its base below; its docstring is its title in English. ``abstract``
    True in its own body: a kind of refusals, no refusal itself. ``code`` is stable and public; left out, it is made of
    the class's name (``AlreadyDispatched``: already-dispatched). ``found`` and ``needed`` say what stood against what;
    the next step is given in both languages, because a person at the counter reads it. A text that is always the same
    is an attribute of the class. ``basis``: the articles in force when it was said, where it rests on any; no rule
    writes them down, whoever tells the refusal looks them up (``Rules.citing``).
    """

    abstract: ClassVar[bool] = True
    code: str = "refused"
    status: ClassVar[int] = 409
    title: str = "Refused"
    title_zh: str = "被拒绝"
    retry_after_seconds: int | None = None
    found: str = ""
    needed: str = ""
    next_step: str = ""
    next_step_zh: str = ""
    attempt: Any = None
    basis: tuple[Citation, ...] = ()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.title = (cls.__doc__ or "").partition("\n")[0].removesuffix(".")
        if "code" not in cls.__dict__:
            cls.code = "-".join(_WORD.findall(cls.__name__)).lower()
        if not cls.__dict__.get("abstract") and _known.setdefault(cls.code, cls) is not cls:
            raise TypeError(f"{cls.__name__}: the code {cls.code} is that of {_known[cls.code].__name__}")

    def __init__(
        self,
        *,
        found: str | None = None,
        needed: str | None = None,
        next_step: str | None = None,
        next_step_zh: str | None = None,
    ) -> None:
        given = {"found": found, "needed": needed, "next_step": next_step, "next_step_zh": next_step_zh}
        for name, text in given.items():
            if text is not None:
                setattr(self, name, text)
        super().__init__(str(self))

    def on_record(self, attempt: Any) -> Self:
        """The same refusal, whose attempt is itself a fact that goes into the case, for auditors and supervisors."""
        self.attempt = attempt
        return self

    def __str__(self) -> str:
        by_law = f"; by {', '.join(map(str, self.basis))}" if self.basis else ""
        return f"{self.code}: found {self.found}; needed {self.needed}; {self.next_step}{by_law}"

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self.code, self.found, self.needed, self.next_step, self.next_step_zh)


class Conflict(Refusal):
    """The state of the case, or what others have taken, stands against it."""

    abstract = True


class NotFound(Refusal):
    """There is no such thing."""

    abstract = True
    status = 404


class NotAcceptable(Refusal):
    """A value that the rules do not know or allow."""

    abstract = True
    status = 422


class NotAllowed(Refusal):
    """Whoever asks may not do this."""

    abstract = True
    status = 403


class TooLarge(Refusal):
    """More than is taken at once."""

    abstract = True
    status = 413


class UnknownCode(NotAcceptable):
    """A code that the standard does not list."""

    abstract = True
    next_step = "choose one of the listed codes"
    next_step_zh = "请从列出的代码中选择"

    def __init__(self, found: str | None, known: Collection[str], **words: str) -> None:
        """``found`` None: it is not repeated, because it may hold anything. ``words``: as of ``Refusal``."""
        shown = "a code that is not listed" if found is None else repr(found[:80])
        super().__init__(found=shown, needed="one of " + ", ".join(sorted(known)), **words)


class Repeated(NotAcceptable):
    """Something is named more than once."""

    abstract = True
    needed = "each one once"
    next_step = "name each one once"
    next_step_zh = "每项仅列一次"

    def __init__(self, name: str, times: int) -> None:
        super().__init__(found=f"{name} named {times} times")


def refusals() -> Mapping[str, type[Refusal]]:
    """Code → class, of every refusal whose module is imported."""
    return MappingProxyType(_known)


def restored(code: str, found: str, needed: str, next_step: str, next_step_zh: str) -> Refusal:
    """A refusal as it was said before, from what was kept of it; of a code that is not known any more, a plain one."""
    kept: Refusal = Refusal.__new__(refusals().get(code, Refusal))
    kept.code = code
    Refusal.__init__(kept, found=found, needed=needed, next_step=next_step, next_step_zh=next_step_zh)
    return kept


# ---- refusals of several slices


class CaseExists(Conflict):
    """The case exists already."""

    title_zh = "该案件已存在"


class MassRunning(Conflict):
    """A mass incident holds in that district."""

    title_zh = "该片区已有进行中的群发事件"


class NoSuchWindow(NotFound):
    """The case has no such window."""

    title_zh = "该案件没有这项时限"
    next_step = "choose a commitment that the case has"
    next_step_zh = "请选择该案件已有的承诺时限"


class VerdictSettled(Conflict):
    """The verdict is settled: a second person is needed."""

    title_zh = "判定已定案，须由第二人核实"
    needed = "a second person"
    next_step = f"ask a second person with {ASKING}; only a trusted front end names them, in the header X-Confirmed-By"
    next_step_zh = f"该时限判定已定案，请提交复核请求 {ASKING}；仅受信前端可在请求头 X-Confirmed-By 中注明第二人工号"

    def __init__(self, fallen: tuple[str, ...], actor: str) -> None:
        super().__init__(found=f"the settled verdict on {', '.join(fallen)} would fall by {actor} alone")


class NoSuchCase(NotFound):
    """No such case."""

    title_zh = "没有该案件"
    found = "no case with this id"
    needed = "the id of a case"
    next_step = "look the case up by its number at /api/v1/cases?number=…"
    next_step_zh = "请按编号在 /api/v1/cases?number=… 查询"


class UnknownFaultKind(UnknownCode):
    """Unknown kind of fault."""

    title_zh = "未知的故障类型"


class UnknownApplicantCategory(UnknownCode):
    """Unknown category of applicant."""

    title_zh = "未知的申请人类别"


class DatesOutOfOrder(NotAcceptable):
    """Dates out of order."""

    title_zh = "日期先后颠倒"
    next_step = "correct the two days"
    next_step_zh = "请更正起止日期"


class CodeTwice(NotAcceptable):
    """A code is given twice."""

    title_zh = "代码重复"
    next_step = "take one of the two out"


class OutOfRange(NotAcceptable):
    """A number out of range."""

    title_zh = "数值超出范围"


class FeeBanned(Conflict):
    """The law forbids this charge."""

    title_zh = "该名目依法禁止收取"
    next_step = "leave it out: nothing but the catalogue's fees is charged"
    next_step_zh = "该名目依法禁止收取，请勿收费"


class VisitAlreadyBooked(Conflict):
    """The visit is booked already."""

    title_zh = "该上门已预约"
    needed = "a new visit"
    next_step = "reassign the visit to move it"
    next_step_zh = "该上门已预约，如需改期请改派"


class NoSuchVisit(NotFound):
    """No such visit."""

    title_zh = "没有该上门预约"
    next_step = "look the visit up in its case"
    next_step_zh = "请在案件中核对上门预约"


class UnknownWay(UnknownCode):
    """Unknown way of delivery."""

    title_zh = "未知的送达方式"


class UnknownRole(UnknownCode):
    """Unknown role."""

    title_zh = "未知的角色"
