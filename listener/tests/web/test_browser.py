"""What a viewer sees and can do, in a real browser, before a real listener and broker."""

import csv
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from ecc_listener.notifications import table
from ecc_listener.notifications.notice import Details, Notice
from ecc_listener.simulator.device import create_devices, measure_all
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE, Mosquitto, until
from support.browsing import PATIENCE_MS, Site, Visit, launch, visit
from support.listeners import Listener

HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "image": "<img src=x onerror=document.title='owned'>",
    "formula": "=HYPERLINK(1)",
    "emoji": "🏰🔔",
    "reversed": "\u202eevil \u05e9\u05dc\u05d5\u05dd",
    "long": "L" * 300,
}
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1920, "height": 1080}
START = datetime.now(UTC)
MONTH = f"/month?month={START - timedelta(days=1):%Y-%m}"
"""A month in which the rooms have sent."""
VIEWS = ("/", "/history?sensor=ECCTH01&sensor=ECCTH02", MONTH, "/events", "/system", "/api")
SILENT = (timedelta(days=2), timedelta(days=2, hours=12))
"""How long ago ECCTH02 fell silent and was heard again."""

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="module")
def listener(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """Give a running listener whose rooms have sent for 20 days, and one of them a year ago as well."""
    folder = tmp_path_factory.mktemp("listener")
    (folder / "limits.ini").write_text("[Nave]\ntoo cold = 55 F\n")
    made = Listener(folder, broker.port, limits_file_path=folder / "limits.ini")
    last_year = START - timedelta(days=366)
    readings = [
        Arrival(at_us, one.as_reading())
        for at_us, one in measure_all(
            create_devices(1), last_year - timedelta(days=9), last_year + timedelta(days=3)
        )
    ]
    devices = [one._replace(has_co2=one.name == "ECCTH03") for one in create_devices(3)]
    readings += [
        Arrival(at_us, one.as_reading())
        for at_us, one in measure_all(devices, START - timedelta(days=20), START)
    ]
    silent_us = [(START - ago).timestamp() * 1e6 for ago in reversed(SILENT)]
    heard = [
        one
        for one in readings
        if one.reading.sensor_name != "ECCTH02" or not silent_us[0] < one.arrived_us < silent_us[1]
    ]
    store = Store(made.database, 10_000_000)
    store.commit(Burst(1, heard, [], []), 1)
    store.change(lambda connection: table.write_notices(connection, [(_cold(), True)]))
    store.close()
    made.start()
    yield made
    made.stop()


def _cold() -> Notice:
    since_us, resolved_us = (round((START - timedelta(days=ago)).timestamp() * 1e6) for ago in (5, 4))
    details: Details = {"temperature_f": 50.0, "limit": 55.0, "limit_of": "temperature_f"}
    return Notice(1, "too_cold", "ECCTH02", "Nave", since_us, resolved_us, resolved_us, 1, details, since_us)


@pytest.fixture(scope="module")
def site(listener: Listener) -> Iterator[Site]:
    page = Site(listener)
    page.start()
    yield page
    page.stop()


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[Visit]:
    with visit(browser, site.address) as visitor:
        yield visitor


def seen_span(page: Page) -> tuple[datetime, datetime]:
    """Give the time that the fields say is seen."""
    start, end = (datetime.fromisoformat(page.input_value(field)) for field in ("#from", "#to"))
    return start, end


def drag(
    page: Page, start: float, end: float, selector: str = "figure[data-measure=temperature] .plot"
) -> None:
    """Drag the mouse across a plot, from one share of its width to another."""
    box = page.locator(selector).bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y)
    page.mouse.move(box["x"] + end * box["width"], y)
    page.mouse.up()


def changed_after(visitor: Visit, act: Callable[[], Any]) -> str:
    """Do something that changes what is seen; give the address then."""
    before = visitor.page.url
    act()
    expect(visitor.page).not_to_have_url(before)
    visitor.settled()
    return visitor.page.url


def test_every_room_appears_with_what_it_said_last(window: Visit) -> None:
    page = window.go("/")
    for room in ("Office", "Nave", "Sacristy"):
        expect(page.locator("main")).to_contain_text(room)


def test_a_new_reading_appears_without_a_reload(window: Visit, broker: Mosquitto) -> None:
    page = window.go("/")
    page.evaluate("window.isTheSamePage = true")
    broker.publish(OFFICE.replace(b"73.45", b"99.11"))
    expect(page.locator("main")).to_contain_text("99.1")
    assert page.evaluate("window.isTheSamePage")


def test_units_are_switched_for_all_views_and_kept(window: Visit) -> None:
    page = window.go("/")
    expect(page.locator("main")).to_contain_text("°F")
    page.get_by_role("link", name="Celsius").click()
    expect(page.locator("main")).to_contain_text("°C")
    window.go("/history")
    expect(page.get_by_role("heading", name="Temperature")).to_have_text("Temperature, °C")
    assert 0 < lowest_temperature(page) < 30


def lowest_temperature(page: Page) -> float:
    text = page.locator("#words-temperature li").first.inner_text()
    found = re.search(r"from (-?[\d.]+) °", text)
    assert found, text
    return float(found[1])


def test_the_mouse_zooms_and_the_address_holds_what_is_seen(
    window: Visit, browser: Browser, site: Site
) -> None:
    page = window.go("/history?sensor=ECCTH01&range=week")
    week = seen_span(page)
    address = changed_after(window, lambda: drag(page, 0.5, 0.75))
    zoomed = seen_span(page)
    assert week[0] < zoomed[0] < zoomed[1] < week[1]
    assert timedelta(days=1.5) < zoomed[1] - zoomed[0] < timedelta(days=2.1)
    with visit(browser, site.address) as other:
        other.go(address.removeprefix(site.address))
        assert seen_span(other.page) == zoomed
    changed_after(window, page.locator(".plot").first.dblclick)
    assert seen_span(page)[1] - seen_span(page)[0] == timedelta(days=7)


def test_shift_and_the_mouse_move_the_time(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH01&range=day")
    before = seen_span(page)
    page.keyboard.down("Shift")
    changed_after(window, lambda: drag(page, 0.4, 0.6))
    page.keyboard.up("Shift")
    after = seen_span(page)
    assert after[1] - after[0] == timedelta(days=1)
    assert timedelta(hours=4) < before[0] - after[0] < timedelta(hours=6)


def test_one_finger_moves_and_two_zoom(browser: Browser, site: Site) -> None:
    with visit(browser, site.address, viewport=PHONE, has_touch=True, is_mobile=True) as visitor:
        page = visitor.go("/history?sensor=ECCTH01&range=day")
        page.locator(".plot").first.scroll_into_view_if_needed()
        before = seen_span(page)
        changed_after(visitor, lambda: touch(page, [[0.4], [0.5], [0.7]]))
        moved = seen_span(page)
        assert moved[1] - moved[0] == timedelta(days=1)
        assert moved[0] < before[0] - timedelta(hours=4)
        changed_after(visitor, lambda: touch(page, [[0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]))
        zoomed = seen_span(page)
        assert timedelta(hours=5) < zoomed[1] - zoomed[0] < timedelta(hours=12)


def touch(page: Page, steps: list[list[float]]) -> None:
    """Put fingers onto a plot at shares of its width, move them step by step, and lift them."""
    box = page.locator(".plot").first.bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart"] + ["touchMove"] * (len(steps) - 1) + ["touchEnd"]
    for kind, shares in zip(kinds, [*steps, []], strict=True):
        points = [
            {"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2, "id": number}
            for number, share in enumerate(shares)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_all_of_it_can_be_done_with_the_keyboard_alone(window: Visit) -> None:
    page = window.go("/")
    tab_to(page, "nav a[href='/history']")
    page.keyboard.press("Enter")
    window.settled()
    tab_to(page, "[name=range]:checked")
    changed_after(window, lambda: page.keyboard.press("ArrowRight"))
    assert "range=month" in page.url
    tab_to(page, "figure[data-measure=temperature]")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    changed_after(window, lambda: page.keyboard.press("+"))
    half = seen_span(page)
    assert half[1] - half[0] == timedelta(days=15)
    changed_after(window, lambda: page.keyboard.press("ArrowLeft"))
    assert seen_span(page)[0] < half[0]
    changed_after(window, lambda: page.keyboard.press("0"))
    assert "range=month" in page.url
    tab_to(page, "#seen summary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).not_to_have_count(0)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab doesn't come to {selector}")


def test_a_gap_is_a_gap_in_drawing_words_and_table(window: Visit) -> None:
    # In the temperature's chart the limit runs through the gap.
    page = window.go("/history?sensor=ECCTH02&range=week&measure=humidity")
    expect(page.locator("#words-humidity")).to_contain_text("one gap of 12 hours")
    assert 0.05 < widest_hole(page) < 0.09  # 12 hours of a week are 0.071 of it
    page.locator("#seen summary").click()
    expect(page.get_by_role("cell", name="\N{EN DASH}").first).to_be_visible()


def widest_hole(page: Page) -> float:
    """Give the widest share of the plot's width in which nothing is drawn between two parts of a line."""
    hole: float = page.evaluate("""() => {
        const canvas = document.querySelector("figure[data-measure=humidity] canvas");
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        const isLine = (at) => data[at + 3] > 200 && data[at + 2] - data[at] > 90; // the first line is blue
        const columns = [];
        for (let x = 0; x < width; x += 1)
            for (let y = 0; y < height; y += 1)
                if (isLine(4 * (y * width + x))) { columns.push(x); break; }
        let hole = 0;
        columns.forEach((x, at) => { hole = Math.max(hole, at ? x - columns[at - 1] : 0); });
        return hole / (columns.at(-1) - columns[0]);
    }""")
    return hole


def test_limits_and_notices_are_drawn_in_and_told(window: Visit, tmp_path: Path) -> None:
    page = window.go("/history?sensor=ECCTH02&range=week&measure=temperature")
    expect(page.locator("#words-temperature")).to_contain_text("too cold below 55.0 °F")
    expect(page.locator("#notices li")).to_have_count(1)
    expect(page.locator("#notices li")).to_contain_text("Nave")
    page.locator("figure[data-measure=temperature] .frame").screenshot(path=tmp_path / "frame.png")
    with Image.open(tmp_path / "frame.png") as picture:
        found = {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24) or []}
    # The strip at the top lasts a day of the week that is seen, 7 pixels high.
    assert drawn(found, (0x9D, 0x2F, 0x1C)) > 7 * 100


def test_zoomed_out_a_point_says_how_much_it_stands_for(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH01&range=month")
    expect(page.locator("#state")).to_contain_text("Each point is the mean of 1 hour")
    page.locator("figure[data-measure=temperature] .plot").hover()
    expect(page.locator("figure[data-measure=temperature] .readout")).to_have_text(
        re.compile(r"\d{2}:\d{2}: [\d.]+ °F \([\d.]+ to [\d.]+\)")
    )


def test_rooms_are_compared_by_colour_dashes_and_markers(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH01")
    changed_after(window, lambda: page.get_by_role("checkbox", name="Nave").check())
    words = page.locator("#words-temperature li")
    expect(words).to_have_count(2)
    samples = [item.evaluate("canvas => canvas.toDataURL()") for item in words.locator("canvas").all()]
    assert len(set(samples)) == 2


def test_years_of_one_room_are_laid_over_each_other(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH01&range=week")
    changed_after(window, lambda: page.get_by_role("checkbox", name="Earlier years").check())
    this, last = page.locator("#words-temperature li").all_inner_texts()
    year = START.astimezone(ZoneInfo("Europe/Berlin")).year
    assert this.startswith(f"{year}: from ")
    assert last.startswith(f"{year - 1}: from ")
    assert str(year - 1) in last.split(";")[0].split(": ", 1)[1]
    with page.expect_download() as coming:
        page.get_by_role("link", name="CSV").click()
    assert {line[:4] for line in coming.value.path().read_text().splitlines()[1:]} == {
        str(year),
        str(year - 1),
    }


def test_csv_of_what_is_seen_comes_as_a_file(window: Visit, tmp_path: Path) -> None:
    page = window.go("/history?sensor=ECCTH01&range=day")
    with page.expect_download() as coming:
        page.get_by_role("link", name="CSV").click()
    assert coming.value.suggested_filename == "history.csv"
    coming.value.save_as(tmp_path / "history.csv")
    head, *rows = list(csv.reader((tmp_path / "history.csv").read_text("utf-8-sig").splitlines()))
    assert head[0] == "time (Europe/Berlin)"
    assert 140 <= len(rows) <= 150
    assert {row[2] for row in rows} == {"ECCTH01"}


def test_png_of_what_is_seen_comes_as_a_file(window: Visit, tmp_path: Path) -> None:
    page = window.go("/history?sensor=ECCTH01&sensor=ECCTH02&range=week")
    with page.expect_download() as coming:
        page.get_by_role("button", name="PNG").click()
    coming.value.save_as(tmp_path / "history.png")
    with Image.open(tmp_path / "history.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
        colours = picture.convert("RGB").getcolors(1 << 24)
    assert colours
    assert {(0x00, 0x60, 0xA8), (0xC0, 0x44, 0x00)} <= {colour for _, colour in colours}


def test_what_is_seen_goes_on_with_the_time(window: Visit, broker: Mosquitto) -> None:
    window.page.clock.install()
    page = window.go("/history?sensor=ECCTH03&range=day")
    line = OFFICE.replace(b"ECCTH01", b"ECCTH03").replace(b"Office", b"Sacristy").replace(b"73.45", b"111.11")
    broker.publish(line)

    def is_shown() -> bool:
        # The page asks again every half minute; the listener may need a moment to store the reading.
        page.clock.fast_forward(31_000)
        return "to 111.1 °F" in page.locator("#words-temperature").inner_text()

    until(is_shown)


def test_without_readings_in_a_time_it_says_so(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH01&start=2001-01-01T00:00:00Z&end=2001-02-01T00:00:00Z")
    expect(page.locator(".nodata").first).to_contain_text("No readings in this time")


def test_paper_gets_the_charts_alone_and_dark_on_white(browser: Browser, site: Site, tmp_path: Path) -> None:
    with visit(browser, site.address, color_scheme="dark") as visitor:
        page = visitor.go("/history?sensor=ECCTH01&sensor=ECCTH02")
        page.pdf(path=tmp_path / "print.pdf", format="A4")
        page.emulate_media(media="print")
        expect(page.locator("#view")).to_be_hidden()
    subprocess.run(["pdftoppm", "-r", "60", "-png", "print.pdf", "print"], cwd=tmp_path, check=True)
    (paper,) = tmp_path.glob("print-*.png")
    with Image.open(paper) as picture:
        found = {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24) or []}
        width, height = picture.size
    assert found[255, 255, 255] > 0.8 * width * height
    assert drawn(found, (0x00, 0x60, 0xA8)) > width / 2
    assert drawn(found, (0xC0, 0x44, 0x00)) > width / 2


def test_the_month_is_a_click_away_and_prints_as_tables_alone(window: Visit, tmp_path: Path) -> None:
    page = window.go("/")
    page.get_by_role("link", name="Month").click()
    page.locator("select[name=month]").select_option(MONTH[-7:])
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(re.escape(MONTH)))
    expect(page.get_by_role("table")).to_have_count(3)
    expect(page.get_by_role("table", name="Temperature in °F")).to_contain_text("Nave")
    row = page.get_by_role("table", name="Readings").get_by_role("row").filter(has_text="Office")
    expect(row.get_by_role("rowheader")).to_contain_text("ECCTH01")
    page.set_viewport_size(PHONE)
    for one in page.locator(".scroll").all():
        assert one.evaluate("one => one.scrollWidth <= one.clientWidth")
    page.evaluate("window.print = () => { window.isPrinted = true; }")
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.isPrinted")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ".months", "nav", ".units":
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.get_by_role("table", name="Temperature in °F")).to_be_visible()
    page.pdf(path=tmp_path / "month.pdf", prefer_css_page_size=True)
    tools = (
        ["pdftotext", "-layout", "month.pdf", "-"],
        ["pdfinfo", "month.pdf"],
        ["pdftoppm", "-r", "60", "-png", "-l", "1", "month.pdf", "month"],
    )
    text, size, _ = (
        subprocess.run(tool, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        for tool in tools
    )
    assert "Temperature in °F" in text
    assert "A4" in size
    (paper,) = tmp_path.glob("month-*.png")
    with Image.open(paper) as picture:
        found = {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24) or []}
        width, height = picture.size
    assert found[255, 255, 255] > 0.8 * width * height


def drawn(found: dict[Any, int], colour: tuple[int, int, int]) -> int:
    """Count the pixels of a colour, or nearly."""
    return sum(
        count
        for one, count in found.items()
        if sum(abs(a - b) for a, b in zip(one, colour, strict=True)) < 60
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_keeps_nobody_out_and_fits_every_screen(window: Visit, view: str) -> None:
    page = window.go(view)
    for scheme in "light", "dark":
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"
    for size in PHONE, DESK:
        page.set_viewport_size(size)
        assert window.width() <= size["width"]


def test_names_that_mean_harm_are_only_names(
    browser: Browser, site: Site, broker: Mosquitto, listener: Listener
) -> None:
    names = [name.encode() for name in HOSTILE.values()]
    before = listener.count()
    broker.publish(*(OFFICE.replace(b"ECCTH01", name).replace(b"Office", name) for name in names))
    listener.wait_for(before + len(names))
    with visit(browser, site.address, viewport=PHONE) as visitor:
        for view in VIEWS:
            page = visitor.go(view)
            assert "owned" not in page.title()
            assert visitor.width() <= PHONE["width"]
        for name in HOSTILE.values():
            page = visitor.go(f"/history?{urlencode({'sensor': name})}")
            expect(page.locator("#words-temperature")).to_contain_text(name)
            assert visitor.width() <= PHONE["width"]
        page = visitor.go("/")
        for name in HOSTILE.values():
            expect(page.locator("main")).to_contain_text(name)


def test_further_numbers_are_drawn_under_their_names_and_units(window: Visit) -> None:
    page = window.go("/history?sensor=ECCTH03&range=week")
    changed_after(window, lambda: page.get_by_role("checkbox", name="CO₂").check())
    figure = page.get_by_role("group", name="CO₂, ppm")
    expect(figure.locator(".lines li")).to_contain_text(re.compile(r"from \d{3} ppm .* to 1?,?\d{3} ppm"))
    assert "measure=field%3Aco2_ppm" in page.url
    figure.locator(".plot").hover()
    expect(figure.locator(".readout")).to_have_text(re.compile(r": \d{3} ppm$"))
    # Each sensor that has none says so, and the address brings all of it back.
    page = window.go(f"/history?{page.url.partition('?')[2]}&sensor=ECCTH01")
    expect(figure.locator(".lines li").nth(0)).to_contain_text("no readings in this time")
    with page.expect_download() as coming:
        page.get_by_role("link", name="CSV").click()
    assert "co2_ppm_mean" in coming.value.path().read_text("utf-8-sig").splitlines()[0]
