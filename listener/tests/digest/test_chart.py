from datetime import timedelta
from io import BytesIO

from PIL import Image

from ecc_listener.digest import chart
from ecc_listener.digest.content import SensorWeek
from ecc_listener.history.rollups import Bucket
from ecc_listener.local_time import midnight_us
from support.digests import DAY_US, MONDAY, START_US, ZONE, hours, room

DAYS = [midnight_us(MONDAY + timedelta(days=number), ZONE) for number in range(8)]


def drawn(*rooms: SensorWeek) -> Image.Image:
    names = [one.location or one.sensor for one in rooms]
    data = chart.draw(rooms, names, DAYS)
    assert len(data) < 60_000
    image = Image.open(BytesIO(data))
    assert image.format == "PNG"
    return image.convert("RGB")


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = image.getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def lively(seed: int) -> list[Bucket]:
    """Hours that go up and down, which is what takes most bytes."""
    return [
        hour._replace(
            temperature_min_f=55 + (index * seed) % 11,
            temperature_mean_f=60 + (index * seed) % 13,
            temperature_max_f=70 + (index * seed) % 17,
        )
        for index, hour in enumerate(hours(START_US, *[6] * 168))
    ]


def test_twelve_lively_rooms_and_no_more_are_drawn_in_a_small_file() -> None:
    many = drawn(*(room(location=f"Room {seed}", hours=lively(seed)) for seed in range(3, 33)))
    assert many.size == (1280, 84 + 12 * 104 + 32)


def test_a_gap_is_a_gap() -> None:
    def inks(*, gap: bool) -> list[bool]:
        flat = hours(START_US, *[6] * 72, *[0 if gap else 6] * 24, *[6] * 72)
        image = drawn(room(hours=flat))
        line = (194, 80, 10)
        return [
            any(
                sum(abs(a - b) for a, b in zip(pixel(image, x, y), line, strict=True)) < 60
                for y in range(84, 188)
            )
            for x in range(280, 620)
        ]

    assert sum(inks(gap=False)) - sum(inks(gap=True)) > 30


def test_names_of_any_script_and_length_and_rooms_without_readings_are_no_obstacle() -> None:
    drawn(
        room(location="Große Kirche St. Élisabeth am Fluß"),
        room(location="教堂"),
        room(location="x" * 500),
        room(hours=[]),
        room(hours=hours(START_US + DAY_US, 6)),
    )


def test_its_ground_is_light_whatever_is_around_it() -> None:
    assert min(pixel(drawn(room()), 5, 5)) > 240
