from ecc_listener.mqtt.deliveries import Deliveries, Packet, pack, packet, unpack

TOPIC = "ECCTempHum"


def packets(*ids: int) -> list[Packet]:
    return [packet(packet_id, TOPIC, b"payload %d" % packet_id) for packet_id in ids]


def deliveries(*ids: int) -> Deliveries:
    """Make a record of one burst that is stored, on a connection whose first barrier was answered."""
    made = Deliveries([])
    made.connected(session_present=False)
    made.answered()
    made.stored(1, packets(*ids))
    return made


def test_a_row_of_packets_reads_back() -> None:
    assert unpack(pack(packets(1, 65_535))) == packets(1, 65_535)


def test_what_is_sent_again_after_a_reconnect_is_recognised() -> None:
    record = deliveries(1, 2, 3)
    record.connected(session_present=True)
    assert [record.is_stored(one) for one in packets(2, 3, 4)] == [True, True, False]


def test_it_is_recognised_from_what_a_restarted_listener_reads_from_its_store() -> None:
    record = Deliveries([(7, packets(1, 2)), (8, packets(3))])
    record.connected(session_present=True)
    assert [record.is_stored(one) for one in packets(1, 2, 3, 4)] == [True, True, True, False]


def test_on_an_open_connection_nothing_is_taken_for_a_repetition() -> None:
    record = deliveries(1, 2)
    assert not record.is_stored(packets(1)[0])


def test_the_same_id_with_another_payload_is_new() -> None:
    record = deliveries(1)
    record.connected(session_present=True)
    assert not record.is_stored(packet(1, TOPIC, b"other"))


def test_the_same_payload_on_another_topic_is_new() -> None:
    record = deliveries(1)
    record.connected(session_present=True)
    assert not record.is_stored(packet(1, "other", b"payload 1"))


def test_after_the_first_new_packet_nothing_is_sent_again() -> None:
    record = deliveries(1, 2)
    record.connected(session_present=True)
    assert [record.is_stored(one) for one in packets(9, 1, 2)] == [False, False, False]


def test_a_broker_that_sends_again_in_portions_is_followed_to_the_end() -> None:
    record = deliveries(1, 2, 3, 4)
    record.connected(session_present=True)
    assert record.is_stored(packets(1)[0])
    record.answered()
    for packet_id in (2, 3, 4):
        assert record.ask()
        assert record.is_stored(packets(packet_id)[0])
        record.answered()
    assert record.confirmed == 0


def test_what_was_sent_again_is_confirmed_only_after_that() -> None:
    record = deliveries(1, 2)
    record.connected(session_present=True)
    assert [record.is_stored(one) for one in packets(1, 2)] == [True, True]
    rounds = 0
    while record.confirmed < 1:
        record.answered()
        rounds += 1
        assert record.ask() == (record.confirmed < 1)
    assert rounds == 4  # it was sent again, it is over, it was read, it is on the disk


def test_after_a_quiet_barrier_nothing_is_sent_again() -> None:
    record = deliveries(1)
    record.connected(session_present=True)
    record.answered()
    assert not record.is_stored(packets(1)[0])


def test_a_broker_that_forgot_the_session_sends_nothing_again() -> None:
    record = deliveries(1, 2)
    record.connected(session_present=False)
    assert not record.is_stored(packets(1)[0])
    assert record.confirmed == 1


def test_a_frozen_sensor_keeps_both_readings_through_a_restart_of_the_broker() -> None:
    record = deliveries(1)
    for _ in range(2):
        assert record.ask()
        record.answered()
    record.connected(session_present=True)
    # The restarted broker counts its ids from 1 again: same id, same payload, a new reading.
    assert not record.is_stored(packets(1)[0])


def test_one_answer_is_not_enough_to_forget() -> None:
    record = deliveries(1)
    assert record.ask()
    record.answered()
    assert record.confirmed == 0
    record.connected(session_present=True)
    assert record.is_stored(packets(1)[0])


def test_an_answer_covers_only_what_was_stored_when_it_was_asked_for() -> None:
    record = deliveries(1)
    assert record.ask()
    record.stored(2, packets(2))
    record.answered()
    assert record.ask()
    record.answered()
    assert record.confirmed == 1
    record.connected(session_present=True)
    assert record.is_stored(packets(2)[0])


def test_it_asks_once_at_a_time_and_stops_when_all_is_confirmed() -> None:
    record = deliveries(1)
    assert record.ask()
    assert not record.ask()
    record.answered()
    assert record.ask()
    record.answered()
    assert not record.ask()


def test_a_question_of_an_old_connection_does_not_count() -> None:
    record = deliveries(1)
    assert record.ask()
    record.answered()
    assert record.ask()
    record.connected(session_present=True)
    record.answered()
    assert record.confirmed == 0


def test_a_burst_kept_through_a_reconnect_is_recognised_when_it_is_sent_again() -> None:
    record = deliveries()
    record.connected(session_present=True)
    record.stored(2, packets(5, 6))  # received before, stored only now
    assert [record.is_stored(one) for one in packets(5, 6, 7)] == [True, True, False]


def test_a_broker_that_never_answers_does_not_fill_the_memory() -> None:
    record = deliveries()
    for burst in range(2, 72):
        record.stored(burst, [Packet(1 + number, number) for number in range(1000)])
    assert record.confirmed >= 5


def test_a_burst_without_packets_is_over_at_once() -> None:
    record = Deliveries([])
    record.connected(session_present=True)
    record.stored(1, [])
    assert record.confirmed == 1
    record.stored(2, packets(1))
    record.stored(3, [])
    assert record.confirmed == 1


def test_after_a_restart_it_continues_with_what_was_recorded() -> None:
    bursts = [(4, [Packet(1, 11)]), (7, [Packet(2, 22)]), (9, [Packet(3, 33)])]
    deliveries = Deliveries(bursts)
    assert (deliveries.last_burst, deliveries.confirmed) == (9, 0)
    deliveries.connected(session_present=True)
    assert [deliveries.is_stored(one) for _, packets in bursts for one in packets] == [True] * 3
    assert not deliveries.is_stored(Packet(4, 44))


def test_bursts_without_a_packet_on_record_may_be_forgotten_at_once() -> None:
    assert Deliveries([]).confirmed == 0
    assert Deliveries([(5, [])]).confirmed == 5


def test_of_a_damaged_row_the_whole_packets_are_read() -> None:
    packets = [Packet(1, 2), Packet(65_535, 0xFFFFFFFF), Packet(7, 8)]
    assert unpack(pack(packets)) == packets
    assert unpack(pack(packets)[:-1]) == packets[:2]
    assert unpack(b"") == []


def test_two_answers_clear_the_record_of_all_bursts_before() -> None:
    deliveries = Deliveries([])
    deliveries.connected(session_present=False)
    deliveries.answered()
    packets = [Packet(number, number) for number in (1, 2, 3)]
    for burst, one in enumerate(packets, 1):
        deliveries.stored(burst, [one])
    for _ in range(2):
        assert deliveries.ask()
        deliveries.answered()
    assert deliveries.confirmed == 3
    assert not deliveries.ask()
    deliveries.connected(session_present=True)
    assert not any(deliveries.is_stored(one) for one in packets)


def test_a_broker_that_never_answers_leaves_only_as_many_packets_on_record_as_there_are_ids() -> None:
    deliveries = Deliveries([])
    deliveries.connected(session_present=True)
    deliveries.stored(1, [Packet(number, 0) for number in (1, 2)])
    deliveries.stored(2, [Packet(number, 0) for number in range(3, 65_536)])
    deliveries.stored(3, [Packet(1, 1)])
    assert deliveries.confirmed == 0  # One packet of the first burst has left, the other one is on record.
    deliveries.stored(4, [Packet(2, 1), Packet(3, 1)])
    assert deliveries.confirmed == 1
