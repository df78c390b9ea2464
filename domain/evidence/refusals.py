"""What the evidence store refuses: a class for each refusal, with its words."""

from __future__ import annotations

from collections.abc import Collection

from domain.kernel.refusals import Conflict, NotAcceptable, NotAllowed, NotFound, TooLarge, UnknownCode


class UnknownEvidenceClass(UnknownCode):
    """Unknown class of evidence."""

    title_zh = "未知的凭证类别"


class EvidenceTypeNotTaken(NotAcceptable):
    """Such a file is not taken for this class."""

    title_zh = "该类凭证不接受此种文件"
    next_step = "send the file in one of these forms, or choose the class that it belongs to"
    next_step_zh = "请提交所列格式的文件，或更换凭证类别"

    def __init__(self, found: str | None, taken: Collection[str]) -> None:
        super().__init__(found=found or "a form that is not known", needed="one of " + ", ".join(sorted(taken)))


class EvidenceTypeMismatch(NotAcceptable):
    """The file is not what it was said to be."""

    title_zh = "文件内容与所填类型不符"
    next_step = "begin again and name the type that the file has, or send the right file"
    next_step_zh = "请重新上传，并填写文件的真实类型，或更换文件"

    def __init__(self, found: str | None, said: str) -> None:
        super().__init__(found=f"content of the type {found or 'unknown'}", needed=said)


class EvidenceTooLarge(TooLarge):
    """The file is too large."""

    title_zh = "文件过大"
    next_step = "take the picture in a lower resolution or send the recording in pieces"
    next_step_zh = "请降低照片分辨率，或将录音录像分段提交"

    def __init__(self, size_bytes: int, most_bytes: int) -> None:
        super().__init__(found=f"{size_bytes} bytes", needed=f"at most {most_bytes} bytes for this class")


class EvidenceEmpty(NotAcceptable):
    """The file is empty."""

    title_zh = "文件为空"
    found = "a file of 0 bytes"
    needed = "a file with content"
    next_step = "choose the file again"
    next_step_zh = "请重新选择文件"


class TooManyFiles(Conflict):
    """The case has as many files from its link as it may have."""

    title_zh = "该案件上传的文件已达上限"
    next_step = "bring the others to the counter, or call the hotline"
    next_step_zh = "其余材料请交到窗口，或致电供水热线"

    def __init__(self, count: int, most: int) -> None:
        super().__init__(found=f"{count} files", needed=f"at most {most} files of a case that came by its link")


class EvidenceDigestMismatch(NotAcceptable):
    """The digest of the file is another one."""

    title_zh = "文件摘要不一致"
    next_step = "compute the SHA-256 of the file anew and begin again: it changed, or a part was damaged"
    next_step_zh = "文件已变动或传输有误，请重新计算摘要并重新上传"

    def __init__(self, found: str, claimed: str) -> None:
        super().__init__(found=found, needed=claimed)


class EvidenceInfected(NotAcceptable):
    """The scanner calls the file infected."""

    title_zh = "文件未通过安全扫描"
    found = "a file that the scanner calls infected"
    needed = "a clean file"
    next_step = "clean the device and take the picture or the document anew"
    next_step_zh = "请检查设备后重新拍摄或重新出具文件"


class PartBeyondSize(NotAcceptable):
    """The part goes beyond the size of the file."""

    title_zh = "分块超出文件大小"
    next_step = "send the bytes up to the size that the upload was begun with, or begin again with the right size"
    next_step_zh = "请按开始上传时所填大小提交，或重新开始上传"

    def __init__(self, end: int, size_bytes: int) -> None:
        super().__init__(found=f"a part up to byte {end}", needed=f"at most {size_bytes} bytes")


class UploadIncomplete(Conflict):
    """Parts are still to come."""

    title_zh = "文件尚未传完"
    next_step = "send the parts from that offset on, then complete"
    next_step_zh = "请从该位置继续上传，完成后再提交"

    def __init__(self, offset: int, size_bytes: int) -> None:
        super().__init__(found=f"{offset} bytes", needed=f"{size_bytes} bytes")


class NoSuchUpload(NotFound):
    """There is no such upload."""

    title_zh = "没有该上传"
    found = "no upload of yours with this id"
    needed = "an upload that was begun and is not over"
    next_step = "begin an upload; one that nobody goes on with is thrown away"
    next_step_zh = "请重新开始上传；长时间未继续的上传会被清除"


class NoSuchEvidenceFile(NotFound):
    """The digest is not known."""

    title_zh = "没有该凭证"
    found = "no file that was ever kept under this digest, or none that you may see"
    needed = "the digest of a file"
    next_step = "look the digests of the case up at /api/v1/evidence?case_id=…"
    next_step_zh = "请在 /api/v1/evidence?case_id=… 查询案件的凭证"


class EvidenceNotKept(Conflict):
    """The file is not there."""

    title_zh = "凭证文件不在库中"
    found = "a file that is not there"
    needed = "a file that is kept"
    next_step = "ask for the file and upload it under the same digest"
    next_step_zh = "请索取文件并按同一摘要重新上传"


class EvidenceGone(NotFound):
    """The file is gone."""

    status = 410
    title_zh = "凭证文件已销毁"
    needed = "a file that is kept"
    next_step = "what is left is its digest: whoever has the file can show that it is the one"
    next_step_zh = "仅保留摘要；持有原文件者可据此核对"

    def __init__(self, state: str) -> None:
        super().__init__(found=f"a file that is {state}")


class EvidenceQuarantined(Conflict):
    """The file waits for the scanner."""

    title_zh = "凭证文件待扫描"
    found = "a file that no scanner has looked at yet"
    needed = "a file that the scanner let pass"
    next_step = "wait for the scanner; the operator sees it in `tongshui evidence status`"
    next_step_zh = "请等待安全扫描完成，或联系运维人员"


class NotYourCaseEvidence(NotAllowed):
    """The file belongs to a case that your work is not on."""

    title_zh = "该凭证不属于您办理的案件"
    found = "a file of other cases"
    needed = "a case of a kind that you may read, and of your own crew where you belong to one"
    next_step = "ask a dispatcher, the case owner or an auditor"
    next_step_zh = "请联系调度员、经办人或稽核人员"


class SubjectNotOnCase(NotAcceptable):
    """The person is none of the case's."""

    title_zh = "该人员与案件无关"
    found = "a person whom the case does not name"
    needed = "a person of the case, or none"
    next_step = "leave the person out, or name one of the case's particulars"
    next_step_zh = "请勿填写，或填写案件中的人员"


class NoSuchPaper(NotFound):
    """The case has no such paper."""

    title_zh = "该案件没有这份文书"
    found = "a kind or a number of which the case has no paper"
    needed = "a paper of the case"
    next_step = "look the papers up at /api/v1/cases/{case_id}/papers"
    next_step_zh = "请在 /api/v1/cases/{case_id}/papers 查询该案件的文书"
