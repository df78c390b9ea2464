"""What the store refuses by itself, whatever the rules say."""

from __future__ import annotations

from domain.kernel.refusals import NotFound, TooLarge


class EventTooLarge(TooLarge):
    """The event would be too large."""

    title_zh = "事件内容过大"
    next_step = "shorten the text"
    next_step_zh = "请缩短文字内容"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(found=f"an event of {size_bytes} bytes", needed=f"at most {limit_bytes} bytes")


class NoSuchMessage(NotFound):
    """No such message was given up."""

    title_zh = "没有该失败消息"
    needed = "the id of a dead one"
    next_step = "look it up with `tongshui outbox list --state dead`"
    next_step_zh = "没有该失败消息，请用 tongshui outbox list --state dead 查询"
