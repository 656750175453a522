"""The bytes of a file that may come from anyone."""

import gzip
import zlib

MOST_BYTES = 2**29  # of the largest file of these data sets there are 186 MB, in text 280


def read_bytes(path):
    """The bytes of a file, decompressed if it is gzipped.

    Raises
    ------
    ValueError
        If it is damaged or there are more than MOST_BYTES: 1 MB of gzip can hold 1 GB.
    """
    with path.open("rb") as file:
        is_gzipped = file.read(2) == b"\x1f\x8b"
    with (gzip.open if is_gzipped else open)(path, "rb") as file:
        try:
            data = file.read(MOST_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{str(path)!r} is damaged: {error}") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"{str(path)!r} holds more than {MOST_BYTES} bytes.")
    return data
