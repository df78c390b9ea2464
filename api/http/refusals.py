"""What the edge turns away by itself, before any rule is asked, or because something behind it is away."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from domain.kernel.refusals import Refusal


class FieldProblem(BaseModel):
    """What is wrong with one field; names the field, never its value."""

    field: str = Field(examples=["reporter.phone"], description="Path of the field, for example reporter.phone.")
    problem: Annotated[str, Field(description="What is wrong, in English; it never quotes the value.")]
    problem_zh: Annotated[str, Field(description="What is wrong, in Chinese; it never quotes the value.")]


class EdgeRefusal(Refusal):
    """A request that is turned away at the edge. ``headers`` go with the answer; ``fields``: what is wrong with which;
    ``incident``: what to quote to the operator."""

    abstract = True
    headers: Mapping[str, str] = MappingProxyType({})
    fields: tuple[FieldProblem, ...] = ()
    incident: str | None = None


# ---- a request that cannot be read


class NotJson(EdgeRefusal):
    """The body is not JSON."""

    status: ClassVar[int] = 400
    title_zh = "请求内容不是有效的 JSON"
    needed = "one JSON object (RFC 8259) in UTF-8"
    next_step = "mend the body and send again; an empty object is {}"
    next_step_zh = "请更正后重新提交；空内容请写 {}"


class WrongContentType(EdgeRefusal):
    """Wrong content type."""

    status = 415
    title_zh = "请求内容类型错误"
    needed = "Content-Type: application/json"
    next_step = "send JSON and say so in the header"
    next_step_zh = "请以 application/json 提交"


class BodyTooLarge(EdgeRefusal):
    """The body is too large."""

    status = 413
    title_zh = "请求内容过大"
    next_step = "send less: fewer or smaller photographs; a program sends a file in parts to /api/v1/evidence"
    next_step_zh = "请减少照片或改用较小的照片；程序请将文件分块提交至 /api/v1/evidence"
    # The rest of the body is thrown away in api.http.drain_body, or never comes: no other request on this connection.
    headers = MappingProxyType({"Connection": "close"})

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(found=f"more than {limit_bytes} bytes", needed=f"at most {limit_bytes} bytes")


class BodyTooSlow(EdgeRefusal):
    """The body did not come in time."""

    status = 408
    title_zh = "请求内容接收超时"
    next_step = "send the request again, whole"
    next_step_zh = "请重新完整提交"
    headers = MappingProxyType({"Connection": "close"})

    def __init__(self, seconds: float) -> None:
        super().__init__(found="a body that was not whole in time", needed=f"all of it within {seconds:g} seconds")


class BadRequest(EdgeRefusal):
    """The request cannot be read."""

    status = 400
    title_zh = "无法识别的请求"
    needed = "a request as /openapi.json describes it"
    next_step = "compare the request with /docs"
    next_step_zh = "请对照 /docs 检查请求"

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(found=f"a request that HTTP itself refuses with {status}")
        self.headers = headers


class InvalidFields(EdgeRefusal):
    """Fields of a request do not have the form that is needed."""

    abstract = True
    needed = "what /openapi.json describes for this request"
    next_step = "correct the named fields and send again"


class BadBody(InvalidFields):
    """The body does not have the form that is needed."""

    status = 422
    title_zh = "请求内容不符合要求"


class NaiveTime(InvalidFields):
    """A time without its offset from UTC."""

    status = 422
    title_zh = "时间缺少时区"


class BadParameter(InvalidFields):
    """A parameter does not have the form that is needed."""

    status = 422
    title_zh = "参数不符合要求"


class BadHeader(InvalidFields):
    """A header is not acceptable."""

    status = 400
    title_zh = "请求头不符合要求"


class CaseChanged(EdgeRefusal):
    """The case has changed since whoever asks looked at it."""

    status = 412
    title_zh = "案件已有变化"
    next_step = "read the case again, and send the command with its new ETag if it still stands"
    next_step_zh = "请重新查看该案件，如仍需办理，请带上新的 ETag 提交"

    def __init__(self, found: int, needed: int | None) -> None:
        super().__init__(found=f"the case at version {found}", needed=f"version {needed}, as If-Match says")


class BadCursor(EdgeRefusal):
    """The place in the stream is not readable."""

    status = 400
    title_zh = "无法识别的读取位置"
    next_step = "use the cursor of the last row you have, or leave it out"
    next_step_zh = "请使用最后一条记录的 cursor，或不填"

    def __init__(self, found: str, partitions: int) -> None:
        needed = f"a position, or partition:position pairs for partitions 0 to {partitions - 1}"
        super().__init__(found=found, needed=needed)


class IdempotencyKeyReused(EdgeRefusal):
    """The idempotency key stands for another request."""

    status = 422
    title_zh = "幂等键已用于其他请求"
    found = "a key that was accepted with another request"
    needed = "one key for one request, repeated byte for byte in the same role"
    next_step = "send a new request under a new key"
    next_step_zh = "请为新的请求使用新的幂等键"


# ---- a request that nobody answers here


class NotLoopback(EdgeRefusal):
    """Who asks from another machine comes by TLS, or through a front end of ours."""

    status = 403
    title_zh = "须加密访问"
    found = "a request from another machine, not by TLS"
    needed = "one by https, or from this machine, or through a front end that the installation trusts"
    next_step = "ask for https and the name of the installation"
    next_step_zh = "请使用 https 与本系统的域名访问"


class WrongHost(EdgeRefusal):
    """Asked under a foreign name."""

    status = 421
    title_zh = "主机名不符"
    found = "a host name that is not this installation's own"
    needed = "localhost, 127.0.0.1, [::1], or a name of TONGSHUI_HTTP_NAMES"
    next_step = "ask under one of these names"
    next_step_zh = "请使用本系统的域名，或 http://127.0.0.1 加端口访问"


class NoSuchPath(EdgeRefusal):
    """No such path."""

    status = 404
    title_zh = "没有该路径"
    found = "a path that this service does not have"
    needed = "one of the paths of /openapi.json"
    next_step = "look the path up at /docs"
    next_step_zh = "请在 /docs 查询接口路径"


class NoSuchEventType(EdgeRefusal):
    """No such type of event."""

    status = 404
    title_zh = "没有该事件类型"
    needed = "a type of event of the contract"

    def __init__(self, path: str, listed_at: str) -> None:
        super().__init__(
            found=f"no document {path[:120]}",
            next_step=f"take one from {listed_at}",
            next_step_zh=f"请从 {listed_at} 中选取事件类型",
        )


class MethodNotAllowed(EdgeRefusal):
    """Method not allowed."""

    status = 405
    title_zh = "不支持该方法"
    found = "a method that this path does not have"
    next_step = "use the method that /docs names for this path"
    next_step_zh = "请按 /docs 使用正确的方法"

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(needed=headers.get("Allow") or headers.get("allow") or "another method")
        self.headers = headers


# ---- what is away, or taken


class Busy(EdgeRefusal):
    """Others kept changing the case."""

    title_zh = "该案件正被他人修改"
    retry_after_seconds = 1
    found = "a case that was changed by others at every try"
    needed = "a moment of quiet"
    next_step = "send the same request again, under the same key if it had one"
    next_step_zh = "请稍后以同一幂等键重试"


class TrialRuns(EdgeRefusal):
    """A trial of another standard runs already."""

    status = 409
    title_zh = "已有一次试算正在进行"
    retry_after_seconds = 10
    found = "a trial that runs in this process already"
    needed = "one at a time"
    next_step = "send it again in a moment, or run tongshui what-if"
    next_step_zh = "请稍后再试，或运行 tongshui what-if"


class TrialTooLong(EdgeRefusal):
    """A trial of another standard takes too long for an answer."""

    status = 413
    title_zh = "试算时间过长"
    next_step = "choose a shorter period, or run tongshui what-if for the whole of it"
    next_step_zh = "请缩短起止日期，或用 tongshui what-if 计算全部"

    def __init__(self, longest_s: float) -> None:
        super().__init__(found="more cases than can be judged in time", needed=f"at most {longest_s:g} seconds")


class ReadingsUnavailable(EdgeRefusal):
    """Kafka does not take readings."""

    status = 503
    title_zh = "暂不能接收读数"
    retry_after_seconds = 2
    found = "no acknowledgement from Kafka"
    needed = "a Kafka that takes the readings"
    next_step = "send the same batch again later; readings that came through stay one row"
    next_step_zh = "请稍后重新提交同一批数据；已接收的读数不会重复"


class StoreUnavailable(EdgeRefusal):
    """The store does not answer."""

    status = 503
    title_zh = "存储暂不可用"
    retry_after_seconds = 2
    found = "no answer from PostgreSQL in time"
    needed = "the store"
    next_step = "send the same request again in a moment; with an idempotency key it cannot be done twice"
    next_step_zh = "请稍后重试；带幂等键的请求不会重复执行"


class VaultClosed(EdgeRefusal):
    """Particulars of persons cannot be read or kept."""

    status = 503
    title_zh = "个人信息库暂不可用"
    found = "a key file that is not the one which particulars are sealed with"
    needed = "the installation's master key"
    next_step = "have whoever runs the installation restore the key file; `tongshui vault status` says what is missing"
    next_step_zh = "请联系系统管理员恢复主密钥文件（tongshui vault status）"


class EvidenceStoreUnavailable(EdgeRefusal):
    """The evidence store does not answer."""

    status = 503
    title_zh = "凭证库暂不可用"
    retry_after_seconds = 10
    found = "an object store that does not take or give files"
    needed = "the folder or the bucket that the settings name"
    next_step = "send the same request again in a moment: what was uploaded is still there"
    next_step_zh = "请稍后重试，已上传的内容不会丢失"


class WrongOffset(EdgeRefusal):
    """Bytes before this part are missing."""

    title_zh = "上传位置不符"
    next_step = "send the part that begins at that offset, which the header Upload-Offset says too"
    next_step_zh = "请从该位置继续上传（见响应头 Upload-Offset）"

    def __init__(self, found: int, offset: int) -> None:
        super().__init__(found=f"a part that begins at byte {found}", needed=f"one that begins at byte {offset}")
        self.headers = {"Upload-Offset": str(offset)}


class CrossSiteForm(EdgeRefusal):
    """A form of another site."""

    status = 403
    title_zh = "该表单不是由本系统的页面提交"
    found = "a form that a page of another site sent"
    needed = "a form of one of our own pages"
    next_step = "open the page here, and fill it in"
    next_step_zh = "请在本系统的页面中填写"


class TooManyUploads(EdgeRefusal):
    """Too many unfinished uploads."""

    status = 429
    title_zh = "未完成的上传过多"
    found = "as many unfinished uploads as one may have"
    needed = "fewer"
    next_step = "complete those that go on; one that nobody goes on with is thrown away"
    next_step_zh = "请先完成已开始的上传；长时间未继续的上传会被清除"
    retry_after_seconds = 60


class StoreCannotWrite(EdgeRefusal):
    """The store cannot write."""

    status = 503
    title_zh = "存储无法写入"
    retry_after_seconds = 10
    needed = "a disk, and a PostgreSQL, that can be written"
    next_step = (
        "make room on its disk, or see why it is read-only; then it goes on by itself, and a request that is sent "
        "again under its idempotency key is not done twice"
    )
    next_step_zh = "请清理磁盘空间或排查只读原因，恢复后自动继续；带幂等键的请求可安全重试"

    def __init__(self, why: str) -> None:
        super().__init__(found=why)


class TooManyRequests(EdgeRefusal):
    """Too many requests."""

    status = 429
    title_zh = "请求过于频繁"
    found = "more requests than one may send in a minute"
    needed = "fewer"
    next_step = "wait a minute (a program: as long as Retry-After says), and send the request again"
    next_step_zh = "请约一分钟后再试（程序请按 Retry-After 等待）"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class TooManyStreams(EdgeRefusal):
    """Too many open streams."""

    status = 503
    title_zh = "事件流连接过多"
    retry_after_seconds = 10
    needed = "a free one"
    next_step = "come back later, or read /api/v1/breaches"
    next_step_zh = "请稍后再试，或改用 /api/v1/breaches 查询"

    def __init__(self, streams: int) -> None:
        super().__init__(found=f"{streams} open streams")


class TooManyStreamsOfOne(EdgeRefusal):
    """Too many open streams of one actor."""

    status = 429
    title_zh = "同一账号的事件流连接过多"
    retry_after_seconds = 10
    needed = "fewer"
    next_step = "close a page that shows the stream, or read /api/v1/breaches"
    next_step_zh = "请关闭不用的页面，或改用 /api/v1/breaches 查询"

    def __init__(self, streams: int) -> None:
        super().__init__(found=f"{streams} open streams of yours")


class InternalError(EdgeRefusal):
    """Something unforeseen happened."""

    status = 500
    title_zh = "系统内部错误"
    found = "a case that the program does not foresee"
    needed = "a correction of the program"

    def __init__(self, incident: str) -> None:
        super().__init__(
            next_step=f"tell the operator the incident's id {incident}",
            next_step_zh=f"请将事件编号 {incident} 告知运维人员",
        )
        self.incident = incident


# ---- who asks


class IdentityNotProven(EdgeRefusal):
    """Who asks is not proven."""

    status = 401
    title_zh = "身份未经验证"
    needed = "a session, a token, or a front end that this installation trusts"
    next_step = "sign in (/login, or POST /api/v1/session), and leave X-Actor and X-Role out"
    next_step_zh = "请先登录；请求中不必填写工号和岗位"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})

    def __init__(self, found: str = "X-Actor or X-Role without a proof") -> None:
        super().__init__(found=found)


class CsrfTokenMissing(EdgeRefusal):
    """The page's own token is missing."""

    status = 403
    title_zh = "页面校验码缺失"
    found = "a change that the browser sent with its cookie, without the session's X-CSRF-Token"
    needed = "the csrf_token that GET /api/v1/session says"
    next_step = "load the page again"
    next_step_zh = "请刷新页面后重试"
