import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecc_listener.readings.form import MAX_PAYLOAD_BYTES, decode
from ecc_listener.readings.reading import NotAReading, Reading
from support.brokers import OFFICE

OLD_FIRMWARE = OFFICE[: OFFICE.index(b"&field8")]


def test_it_decodes_a_line_of_the_current_firmware() -> None:
    assert decode(OFFICE) == Reading(
        47.10, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01", "Office", "98:F4:AB:DA:6E:E2", "v03.10"
    )


def test_what_older_firmware_does_not_send_is_none() -> None:
    assert decode(OLD_FIRMWARE) == Reading(47.10, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01", None, None, None)


def test_fields_count_by_name_in_any_order_and_unknown_ones_are_passed_over() -> None:
    shuffled = b"&".join(reversed(OFFICE.split(b"&"))) + b"&field11=new&lux=3"
    assert decode(shuffled) == decode(OFFICE)


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
    ("old", "new", "reason"),
    [
        (b"field1=47.10", b"field1=nan", "field1 (dew point) is 'nan'"),
        (b"field1=47.10", b"field1=-inf", "field1 (dew point) is '-inf'"),
        (b"field2=73.45", b"field2=", "field2 (temperature) is '', not a number"),
        (b"field2=73.45", b"field2=7_3", "field2 (temperature) is '7_3'"),
        (b"field2=73.45", "field2=٣".encode(), "field2 (temperature) is '٣'"),
        (b"field2=73.45", b"field2=258", "possible is -40 to 257 °F"),
        (b"field3=39.17", b"field3=120", "field3 (humidity) is '120'; possible is 0 to 100 %"),
        (b"field4=3.41", b"field4=-1", "field4 (battery voltage)"),
        (b"field6=-67", b"field6=low", "field6 (signal) is 'low', not a number"),
        (b"&field3=39.17", b"", "field3 (humidity) is missing"),
        (b"field7=ECCTH01", b"field7=+", "field7 (name) is empty"),
        (b"field7=ECCTH01", b"field7=" + b"x" * 501, "501 characters"),
        (b"Office", b"Of%00fice", "control character 0x00"),
        (b"Office", b"Of\nfice", "control character 0x0a"),
        (b"Office", b"Of%FFice", "not form fields"),
        (b"field5=93.53", b"field1=1&field5=93.53", "field1 appears 2 times"),
        (b"Office", b"Off\xffice", "byte 100 is 0xff"),
    ],
)
def test_a_fault_is_named_with_its_field(old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(NotAReading) as refusal:
        decode(OFFICE.replace(old, new))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"  \r\n", "empty"),
        (b"hello", "not form fields"),
        (b"lux=3", "field1 (dew point) is missing"),
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


@pytest.mark.parametrize("field", ["field2=1", "field7=ECCTH01", "field8=Office", "field10=v1"])
def test_a_known_field_that_appears_twice_is_rejected_by_its_name(field: str) -> None:
    with pytest.raises(NotAReading, match=rf"^{field.partition('=')[0]} appears 2 times"):
        decode(OFFICE + b"&" + field.encode())


def test_an_unknown_field_may_appear_twice() -> None:
    assert decode(OFFICE + b"&field11=1&field11=2") == decode(OFFICE)


@pytest.mark.parametrize(("sent", "location"), [(b"K%C3%BCche", "Küche"), (b"%C2%A0x", "\xa0x"), (b"", "")])
def test_a_quoted_text_may_be_anything_but_control_characters(sent: bytes, location: str) -> None:
    assert decode(OFFICE.replace(b"=Office", b"=" + sent) + b"&x=%20").location == location
    with pytest.raises(NotAReading, match="control character 0x7f"):
        decode(OFFICE.replace(b"=Office", b"=%7F"))


def test_a_text_may_have_500_characters_and_no_more() -> None:
    assert decode(OFFICE.replace(b"=Office", b"=" + b"x" * 500)).location == "x" * 500
    with pytest.raises(NotAReading, match=r"field8 \(location\) has 501 characters; at most 500"):
        decode(OFFICE.replace(b"=Office", b"=" + b"x" * 501))


def test_a_quoted_line_must_be_form_fields_throughout() -> None:
    with pytest.raises(NotAReading, match="not form fields"):
        decode(OFFICE.replace(b"=Office", b"=Big%20Hall") + b"&&x")


@pytest.mark.parametrize(("sent", "shown"), [("a" * 40, "a" * 40), ("a" * 41, "a" * 37 + "...")])
def test_a_value_that_is_not_a_number_is_shown_up_to_40_characters(sent: str, shown: str) -> None:
    with pytest.raises(NotAReading, match=rf"^field2 \(temperature\) is '{shown.replace('.', '[.]')}', not"):
        decode(OFFICE.replace(b"73.45", sent.encode()))
