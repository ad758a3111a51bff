"""PURE: numbers that look like chance and are always the same for the same question."""


def scatter(*numbers: int) -> int:
    """Give 64 bits that look like chance, always the same for the same numbers (SplitMix64, Steele 2014)."""
    mixed = 0
    for number in numbers:
        mixed = (mixed + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed


def chance(*numbers: int) -> float:
    """Give a number from 0 to 1, always the same for the same numbers."""
    return scatter(*numbers) / 2**64
