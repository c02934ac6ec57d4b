"""Limits of what is fetched."""

from gazecrop.errors import BodyTooLarge


def too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The limit of a picture is {max_bytes:,} bytes.", limit=max_bytes)
