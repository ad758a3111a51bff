import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecc_listener.readings.form import MAX_PAYLOAD_BYTES, decode
from ecc_listener.readings.reading import MAX_VALUES, NotAReading, Reading
from support.brokers import OFFICE

OLD_FIRMWARE = OFFICE[: OFFICE.index(b"&field8")]


def test_it_decodes_a_line_of_the_current_firmware() -> None:
    assert decode(OFFICE) == Reading(
        47.10, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01", "Office", "98:F4:AB:DA:6E:E2", "v03.10"
    )


def test_what_older_firmware_does_not_send_is_none() -> None:
    assert decode(OLD_FIRMWARE) == Reading(47.10, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01", None, None, None)


def test_fields_count_by_name_in_any_order() -> None:
    assert decode(b"&".join(reversed(OFFICE.split(b"&")))) == decode(OFFICE)


def test_further_numbers_are_kept_under_the_names_of_their_fields() -> None:
    further = b"&field11=new&lux=3&field12=-1.5&api_key=123&created_at=2026&status=1&inf=inf&=4&x=1_0"
    assert decode(OFFICE + further) == decode(OFFICE)._replace(values=(("field12", -1.5), ("lux", 3.0)))


def test_as_many_further_numbers_as_older_firmware_leaves_out_are_kept_as_well() -> None:
    assert len(decode(OLD_FIRMWARE + b"&a=1&b=2&c=3").values) == 3


def test_only_so_many_further_numbers_are_kept() -> None:
    many = "".join(f"&x{number:02}={number}" for number in range(40)).encode()
    assert decode(OFFICE + many).values == tuple((f"x{number:02}", number) for number in range(MAX_VALUES))
    assert decode(OFFICE + b"&" + b"x" * 61 + b"=1").values == ()


@pytest.mark.parametrize(
    "payload",
    [
        OFFICE + b"&",
        b"?" + OFFICE,
        b"&" + OFFICE,
        b"\xef\xbb\xbf" + OFFICE,
        OFFICE + b"\r\n",
        OFFICE + b"\0",
        OFFICE.replace(b"&", b"&&", 2),
        OFFICE + b"&noise",
        OFFICE + b"&field7=ECCTH01",
    ],
)
def test_what_only_surrounds_the_fields_costs_nothing(payload: bytes) -> None:
    assert decode(payload) == decode(OFFICE)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"Big+Hall", "Big Hall"),
        (b"Big%20Hall", "Big Hall"),
        ("Küche".encode(), "Küche"),
        (b"'); DROP TABLE ECCTempHum; --", "'); DROP TABLE ECCTempHum; --"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"x" * 300, "x" * 300),
    ],
)
def test_a_name_may_be_any_text(sent: bytes, name: str) -> None:
    assert decode(OFFICE.replace(b"ECCTH01", sent)).sensor_name == name


@pytest.mark.parametrize(
    ("old", "new", "lacks", "reason"),
    [
        (
            b"field1=47.10",
            b"field1=nan",
            "dew_point_f",
            "field1 (dew point) is 'nan'; possible is -112 to 257 °F",
        ),
        (b"field1=47.10", b"field1=-inf", "dew_point_f", "field1 (dew point) is '-inf'"),
        (b"field2=73.45", b"field2=", "temperature_f", "field2 (temperature) is empty"),
        (b"field2=73.45", b"field2=7_3", "temperature_f", "field2 (temperature) is '7_3'"),
        (b"field2=73.45", "field2=٣".encode(), "temperature_f", "field2 (temperature) is '٣'"),
        (b"field2=73.45", b"field2=258", "temperature_f", "possible is -40 to 257 °F"),
        (b"field3=39.17", b"field3=120", "humidity_percent", "(humidity) is '120'; possible is 0 to 100 %"),
        (b"&field3=39.17", b"", "humidity_percent", "field3 (humidity) is missing"),
        (b"field4=3.41", b"field4=-1", "battery_v", "field4 (battery voltage) is '-1'"),
        (b"field4=3.41", b"field4=", "battery_v", "field4 (battery voltage) is empty"),
        (b"&field5=93.53", b"", "battery_percent", "field5 (battery charge) is missing"),
        (b"field6=-67", b"field6=low", "rssi_dbm", "field6 (signal) is 'low'; not a number"),
        (b"Office", b"Of%00fice", "location", "field8 (location) holds the control character 0x00"),
        (b"Office", b"Of\nfice", "location", "control character 0x0a"),
        (b"Office", b"Of%FFice", "location", "is not UTF-8 text: it holds the byte 0xff"),
        (b"Office", b"Off\xffice", "location", "is not UTF-8 text: it holds the byte 0xff"),
        (b"=Office", b"=" + b"x" * 501, "location", "field8 (location) has 501 characters; at most 500"),
        (b"Office", b"Office&field8=Hall", "location", "field8 (location) appears with 2 values"),
        (
            b"field5=93.53",
            b"field1=1&field5=93.53",
            "dew_point_f",
            "field1 (dew point) appears with 2 values",
        ),
        (
            b"field2=73.45",
            b"field2=1&field2=2",
            "temperature_f",
            "field2 (temperature) appears with 2 values",
        ),
    ],
)
def test_one_missing_or_impossible_field_costs_only_itself(
    old: bytes, new: bytes, lacks: str, reason: str
) -> None:
    reading = decode(OFFICE.replace(old, new))
    (fault,) = reading.faults
    assert reason in fault.reason
    assert fault.is_missing is ("missing" in reason or "empty" in reason)
    whole = decode(OFFICE)._asdict()
    assert reading == Reading(**whole | {lacks: None, "faults": (fault,)})


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"field7=ECCTH01", b"field7=+", "field7 (name) is empty"),
        (b"&field7=ECCTH01", b"", "field7 (name) is missing. A reading needs a name"),
        (b"field7=ECCTH01", b"field7=" + b"x" * 501, "field7 (name) has 501 characters"),
        (b"ECCTH01", b"ECC\xffTH01", "field7 (name) is not UTF-8 text"),
        (b"ECCTH01", b"ECC%00TH01", "field7 (name) holds the control character"),
        # The one-byte form of ESC [ in terminals.
        (b"ECCTH01", b"ECC\xc2\x9b2JTH01", "field7 (name) holds the control character 0x9b"),
        (b"ECCTH01", b"ECCTH01&field7=ECCTH02", "field7 (name) appears with 2 values"),
        (
            b"field2=73.45&field3=39.17",
            b"field2=999",
            "possible is -40 to 257 °F; field3 (humidity) is missing. A reading needs a name, and",
        ),
    ],
)
def test_a_reading_needs_a_name_and_temperature_or_humidity(old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(NotAReading) as refusal:
        decode(OFFICE.replace(old, new))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"  \r\n", "empty"),
        (b"hello", "not form fields"),
        (b"lux=3", "field7 (name) is missing; field2 (temperature) is missing; field3 (humidity) is missing"),
        (bytes(1_000_000), "1,000,000 bytes long"),
        (b"\x00\x01", "not form fields"),
    ],
)
def test_what_has_not_the_form_is_refused_in_words(payload: bytes, reason: str) -> None:
    with pytest.raises(NotAReading) as refusal:
        decode(payload)
    assert reason in str(refusal.value)


def test_the_longest_payload_is_still_looked_at() -> None:
    assert decode(OFFICE + b"&x=" + b"y" * (MAX_PAYLOAD_BYTES - len(OFFICE) - 3)).sensor_name == "ECCTH01"


def _fields(value: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    names = st.sampled_from([f"field{number}" for number in range(12)]) | st.text(max_size=6)
    pairs = st.lists(st.tuples(names, value), max_size=14)
    return pairs.map(lambda some: "&".join("=".join(pair) for pair in some).encode("utf-8", "surrogatepass"))


HOSTILE = (
    st.binary(max_size=300)
    | _fields(st.text(max_size=12))
    | _fields(st.sampled_from(["1", "-3.5", "nan", "1e400", "%", "%zz", "+", "1_0", "٣", "\x00", "ECC", ""]))
)


@given(HOSTILE)
def test_the_decoder_raises_nothing_but_its_own_error(payload: bytes) -> None:
    try:
        reading = decode(payload)
    except NotAReading as refusal:
        assert str(refusal)  # noqa: PT017 - both ways are right
    else:
        assert reading.sensor_name


@pytest.mark.parametrize(
    ("field", "value"), [("field2", b"-40"), ("field2", b"257"), ("field3", b"0"), ("field3", b"100")]
)
def test_the_lowest_and_the_highest_possible_value_are_readings(field: str, value: bytes) -> None:
    sent = {b"field2": b"73.45", b"field3": b"39.17"}[field.encode()]
    reading = decode(OFFICE.replace(b"%s=%s" % (field.encode(), sent), b"%s=%s" % (field.encode(), value)))
    assert float(value) in {reading.temperature_f, reading.humidity_percent}


def test_an_unknown_field_may_appear_twice() -> None:
    assert decode(OFFICE + b"&field11=1&field11=2") == decode(OFFICE)


@pytest.mark.parametrize(("sent", "location"), [(b"K%C3%BCche", "Küche"), (b"%C2%A0x", "\xa0x"), (b"", "")])
def test_a_quoted_text_may_be_anything_but_control_characters(sent: bytes, location: str) -> None:
    assert decode(OFFICE.replace(b"=Office", b"=" + sent) + b"&x=%20").location == location


def test_a_text_may_have_500_characters_and_no_more() -> None:
    assert decode(OFFICE.replace(b"=Office", b"=" + b"x" * 500)).location == "x" * 500


@pytest.mark.parametrize(("sent", "shown"), [("a" * 40, "a" * 40), ("a" * 41, "a" * 37 + "...")])
def test_a_value_that_is_not_a_number_is_shown_up_to_40_characters(sent: str, shown: str) -> None:
    (fault,) = decode(OFFICE.replace(b"73.45", sent.encode())).faults
    assert fault.reason == f"field2 (temperature) is '{shown}'; not a number"
