"""What the rules of metering refuse: a class for each refusal, with its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.kernel.refusals import Conflict, NoSuchCase, NotAcceptable, NotFound, UnknownCode

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.metering.abnormal_use import Usage
    from domain.metering.meters import Meter
    from domain.metering.reading_rounds import ReadingRound


class MeterAlreadyInService(Conflict):
    """The meter is in service at another supply point."""

    title_zh = "该水表已在其他用水点使用"
    needed = "a meter that is not in service"
    next_step = "check the number on the meter's body; take the other one out of service first if it was moved"
    next_step_zh = "请核对表身编号；如确已移装，请先办理原点拆表"

    def __init__(self, number: str, meter: Meter) -> None:
        super().__init__(found=f"meter {number} at supply point {meter.case_id}/{meter.point}")


class MeterNotInService(Conflict):
    """The meter is not in service there."""

    title_zh = "水表不在该用水点"
    needed = "the meter that is in there"
    next_step = "check the number on the meter's body"
    next_step_zh = "请核对表身编号"

    def __init__(self, number: str, case_id: UUID, point: int) -> None:
        super().__init__(found=f"meter {number}, which is not in at supply point {case_id}/{point}")


class MeterNotInBook(Conflict):
    """The meter is not in the book."""

    title_zh = "水表不在该表册"
    needed = "a meter of the book"
    next_step = "check the number, or the book"
    next_step_zh = "该表册没有此水表，请核对"

    def __init__(self, meter: str, case: ReadingRound) -> None:
        super().__init__(found=f"meter {meter}, which is not in book {case.book}")


class BadMonth(NotAcceptable):
    """Not a month."""

    title_zh = "月份格式不正确"
    needed = "a month as 2026-09"
    next_step = "correct the month"
    next_step_zh = "月份格式应为 2026-09"

    def __init__(self, month: str) -> None:
        super().__init__(found=repr(month[:10]))


class UnknownReadingException(UnknownCode):
    """Not a reason for an exception."""

    title_zh = "不是抄表例外原因"


class UsageClosed(Conflict):
    """The case of abnormal use is over."""

    title_zh = "该用量异常已办结"
    needed = "an open case"
    next_step = "nothing is to be done; confirm the anomaly anew if it is one after all"
    next_step_zh = "该用量异常已办结；如确属异常请重新核实"

    def __init__(self, case: Usage) -> None:
        super().__init__(found=f"{case.number}, which is over ({case.over})")


class UserNotTold(Conflict):
    """The user was not told."""

    title_zh = "尚未告知用户"
    needed = "a user who was told, with proof"
    next_step = "tell the user first, or dismiss the anomaly if it is none"
    next_step_zh = "请先告知用户并留存凭证；如不属异常请予排除"

    def __init__(self, case: Usage) -> None:
        super().__init__(found=f"{case.number}, whose user was not told")


class EvidenceMissing(NotAcceptable):
    """Evidence is missing."""

    title_zh = "缺少佐证"
    needed = "the digest of a photo of the dial, or of the record of the re-reading"
    next_step = "attach the photo or the record"
    next_step_zh = "请附水表照片或复抄记录"

    def __init__(self, by: str) -> None:
        super().__init__(found=f"{by} without evidence")


class UnknownDismissal(UnknownCode):
    """Not a reason to dismiss it."""

    title_zh = "不是可排除的原因"


class UnknownUsageOutcome(UnknownCode):
    """Unknown outcome."""

    title_zh = "未知的处理结果"


class UnknownLeakFinding(UnknownCode):
    """Unknown finding."""

    title_zh = "未知的查漏结果"


class NoSuchReading(NotFound):
    """No such reading."""

    title_zh = "没有该读数"
    needed = "a reading that came in and was stored"
    next_step = "send the reading first, or wait a moment until it is stored"
    next_step_zh = "请先上报读数，或稍候入库"

    def __init__(self, meter: str, at: datetime) -> None:
        super().__init__(found=f"no reading of meter {meter} at {at.isoformat()}")


class ReadingOutOfPeriod(Conflict):
    """The reading is of another month than the round."""

    title_zh = "读数不在本期"
    next_step = "audit it in the round of its own month, or have the dial read again"
    next_step_zh = "请在读数所属月份的抄表任务中复核，或重新抄表"

    def __init__(self, meter: str, at: datetime, month: str) -> None:
        super().__init__(
            found=f"the reading of meter {meter} at {at.isoformat()}",
            needed=f"a reading of {month}, by China's time",
        )


class AnomalyPending(Conflict):
    """The case of abnormal use is being opened."""

    title_zh = "用量异常正在建立"
    retry_after_seconds = 2
    needed = "its case of abnormal use"
    next_step = "send the same audit again in a moment"
    next_step_zh = "用量异常正在建立，请稍后重试"

    def __init__(self, meter: str) -> None:
        super().__init__(found=f"the reading of meter {meter}, whose case is being opened")


def no_such_usage() -> NoSuchCase:
    """What is said of a case of abnormal use that there is not."""
    return NoSuchCase(
        found="no case of abnormal use with this id",
        needed="the id of a case of abnormal use",
        next_step="look the case up at /api/v1/usage",
        next_step_zh="没有该用量异常，请在 /api/v1/usage 查询",
    )


def no_such_round() -> NoSuchCase:
    """What is said of a reading round that there is not."""
    return NoSuchCase(
        found="no reading round with this id",
        needed="the id of a reading round",
        next_step="look the round up at /api/v1/reading-books",
        next_step_zh="没有该抄表任务，请在 /api/v1/reading-books 查询",
    )
