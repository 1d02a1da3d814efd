"""What damaged or misplaced bytes look like, for messages."""

from __future__ import annotations

_MAGIC = [
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"fLaC", "a FLAC sound"),
    (b"OggS", "an Ogg sound"),
    (b"ID3", "an MP3 sound"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
]
_RIFF = {b"WAVE": "a WAV sound", b"WEBP": "a WebP image", b"AVI ": "an AVI video"}
_STILLS = (b"avif", b"heic", b"mif1")  # pictures in the container of MP4


def unreadable(noun: str, data: bytes) -> str:
    """Why bytes cannot be read as an "image", a "sound" or a "video": they hold something else, or are damaged."""
    described = describe_bytes(data)
    return f"{described} that is damaged or cut off" if described.endswith(noun) else f"no {noun}, but {described}"


def describe_bytes(data: bytes) -> str:
    """A short description of bytes by their beginning: 'a PDF document', 'an empty file', 'text that begins ...'."""
    if not data:
        return "an empty file"
    if data.startswith(b"RIFF") and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    if data[4:8] == b"ftyp":
        return "an AVIF or HEIC image" if data[8:12] in _STILLS else "an MP4 video"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    text = data[:24].decode("ascii", "replace")
    if not all(char.isspace() or (char.isascii() and char.isprintable()) for char in text):
        return f"{len(data)} bytes that begin {data[:8].hex(' ')}"
    kind = "an HTML page" if text.lstrip().lower().startswith(("<!doctype", "<html")) else "text"
    return f"{kind} that begins {text!r}"
