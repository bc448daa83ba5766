"""Color profiles made by hand, and what their colors are in sRGB by matrices, without a color library."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Linear RGB → XYZ under D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, D65)


def linear(values: np.ndarray) -> np.ndarray:
    """sRGB's curve, which Display P3 shares, from 0…255 to 0…1."""
    share = values / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def encoded(values: np.ndarray) -> np.ndarray:
    share = values.clip(0, 1)
    return 255 * np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)


def p3_to_srgb(values: np.ndarray) -> np.ndarray:
    """Display P3 (…, 3) in 0…255 → sRGB in 0…255, clipped."""
    matrix = np.linalg.inv(to_xyz(SRGB)) @ to_xyz(P3)
    return encoded(linear(values) @ matrix.T)


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(65536 * value) for value in values))


def profile(primaries: tuple[tuple[float, float], ...], name: str, space: bytes = b"RGB ") -> bytes:
    """An ICC profile of version 4 with these primaries and sRGB's curve; gray for the space `GRAY`."""
    adapt = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
    colorants = adapt @ to_xyz(primaries)
    text = name.encode("utf-16-be")
    curve = b"para\0\0\0\0\0\3\0\0" + s15(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    mluc = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": mluc, b"wtpt": b"XYZ \0\0\0\0" + s15(*D50)}
    if space == b"GRAY":
        tags[b"kTRC"] = b"para\0\0\0\0\0\0\0\0" + s15(1.0)
    else:
        tags |= {
            c + b"XYZ": b"XYZ \0\0\0\0" + s15(*colorants[:, k]) for k, c in enumerate((b"r", b"g", b"b"))
        }
        tags |= {c + b"TRC": curve for c in (b"r", b"g", b"b")}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", tag, start + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x04000000, b"mntr", space, b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + s15(*D50)
    return head.ljust(128, b"\0") + table + body
