"""What a file is, by its first bytes: a name or a header can say anything.

A table of our own: eleven forms are taken, and a library that knows eighty would have to be held to these. Each form is
told by the bytes that its standard puts first.
"""

from __future__ import annotations

JPEG, PNG, WEBP, HEIC = "image/jpeg", "image/png", "image/webp", "image/heic"
PDF = "application/pdf"
MP4, M4A, MP3, WAV = "video/mp4", "audio/mp4", "audio/mpeg", "audio/wav"

HEAD_BYTES = 64
"""So many bytes of the beginning tell every form of the table."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})
_MP4_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"3gp4", b"3gp5"}
)
_M4A_BRANDS = frozenset({b"M4A ", b"M4B "})


def media_type_of(head: bytes) -> str | None:
    """The media type by the first ``HEAD_BYTES`` bytes; None: none of the forms that are taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"%PDF-"):
        return PDF
    if head.startswith(b"ID3") or _is_mpeg_frame(head):
        return MP3
    if head[:4] == b"RIFF":
        return {b"WEBP": WEBP, b"WAVE": WAV}.get(head[8:12])
    return _of_boxes(head)


def _is_mpeg_frame(head: bytes) -> bool:
    """An MPEG audio frame of layer III begins with eleven set bits; the reserved version and bit rate are none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 0x08:
        return False
    return head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C


def _of_boxes(head: bytes) -> str | None:
    """ISO base media files begin with the box ``ftyp``, which names their brand."""
    if head[4:8] != b"ftyp":
        return None
    brand = head[8:12]
    if brand in _HEIC_BRANDS:
        return HEIC
    if brand in _M4A_BRANDS:
        return M4A
    return MP4 if brand in _MP4_BRANDS else None
