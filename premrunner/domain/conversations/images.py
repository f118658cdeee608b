"""Pictures that come with a message: looked at before they are kept, and never believed by their name."""

from premrunner.errors import InvalidRequest
from premrunner.records import Image, new_id

# A photograph of a telephone, as the page sends it after it has made it smaller, is a tenth of that.
LARGEST_BYTES = 5_000_000
MOST_IMAGES = 8

# The kinds that engines read and browsers draw without running anything: their first bytes tell them.
KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def image_of(data: bytes) -> Image:
    """Return bytes as a picture to keep.

    Raises:
        InvalidRequest: They are no picture of a kind we know, or too many bytes.
    """
    if len(data) > LARGEST_BYTES:
        raise InvalidRequest(f"A picture may have {LARGEST_BYTES // 1_000_000} MB.", param="images")
    return Image(new_id(), _media_type(data), data)


def _media_type(data: bytes) -> str:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    for start, media_type in KINDS:
        if data.startswith(start):
            return media_type
    raise InvalidRequest("This is no picture that models read: PNG, JPEG, GIF or WebP.", param="images")
