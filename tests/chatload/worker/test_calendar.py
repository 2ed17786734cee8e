from chatload.messages import Go, Part
from chatload.worker.calendar import Calendar


def ends(calendar: Calendar, count: int) -> list[tuple[Part, int, int]]:
    found: list[tuple[Part, int, int]] = []
    for _ in range(count):
        found.append((calendar.part, calendar.number, calendar.next))
        calendar.advance()
    return found


def test_each_part_begins_a_new_interval_and_ends_its_last_one() -> None:
    calendar = Calendar(start=100, interval=10)
    assert ends(calendar, 2) == [(Part.CONNECT, 1, 110), (Part.CONNECT, 2, 120)]
    calendar.begin(Go(start=125, measured=140, end=165, storms=[]))
    assert ends(calendar, 7) == [
        (Part.CONNECT, 3, 125),
        (Part.WARM_UP, 1, 135),
        (Part.WARM_UP, 2, 140),
        (Part.HOLD, 1, 150),
        (Part.HOLD, 2, 160),
        (Part.HOLD, 3, 165),
        (Part.DRAIN, 1, 175),
    ]


def test_run_without_warm_up_goes_from_connecting_to_the_hold() -> None:
    calendar = Calendar(start=0, interval=10)
    calendar.begin(Go(start=5, measured=5, end=15, storms=[]))
    assert ends(calendar, 3) == [(Part.CONNECT, 1, 5), (Part.HOLD, 1, 15), (Part.DRAIN, 1, 25)]
