import pytest

from omnishot.modality.file_signatures import describe_bytes, unreadable


@pytest.mark.parametrize(
    ("data", "look"),
    [
        (b"", "an empty file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a WAV sound"),
        (b"\0\0\0\x18ftypisom", "an MP4 video"),
        (b"\0\0\0\x18ftypavif", "an AVIF or HEIC image"),
        (b"\x1aE\xdf\xa3\x01", "a Matroska or WebM video"),
        (b"\x00\x01\x02", "3 bytes that begin 00 01 02"),
        ("Grüße".encode(), "7 bytes that begin 47 72 c3 bc c3 9f 65"),
        (b"species,count\n1,2\n", r"text that begins 'species,count\n1,2\n'"),
        (b"\n<!DOCTYPE html>", r"an HTML page that begins '\n<!DOCTYPE html>'"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file itself"),
    ],
)
def test_looks(data, look):
    assert describe_bytes(data) == look


def test_the_right_kind_is_damaged_and_others_are_named():
    assert unreadable("sound", b"OggS") == "an Ogg sound that is damaged or cut off"
    assert unreadable("image", b"OggS") == "no image, but an Ogg sound"
