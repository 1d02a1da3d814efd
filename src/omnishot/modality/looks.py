"""What damaged or misplaced bytes look like, for messages."""

from __future__ import annotations

_MAGIC = [
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"RIFF", "a RIFF file (WAV, WebP or AVI)"),
    (b"fLaC", "a FLAC sound"),
    (b"OggS", "an Ogg sound"),
    (b"ID3", "an MP3 sound"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
]


def looks_like(data: bytes) -> str:
    """A few words on what the bytes seem to be: 'a PDF document', 'an empty file', 'text that begins ...'."""
    if not data:
        return "an empty file"
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    head = data[:24]
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        return f"{len(data)} bytes that begin {head[:8].hex(' ')}"
    kind = "an HTML page" if text.lstrip().lower().startswith(("<!doctype", "<html")) else "text"
    return f"{kind} that begins {text!r}" if text.isprintable() or text.strip() else f"{len(data)} blank bytes"
