from math import inf

from actors.conversation.agenda import Agenda, Task


def test_a_task_is_planned_for_the_soonest_time_that_was_asked_for() -> None:
    agenda = Agenda()
    agenda.no_later(Task.NOTIFY, 5.0)
    agenda.no_later(Task.NOTIFY, 7.0)
    agenda.no_later(Task.NOTIFY, 3.0)
    assert agenda.next_deadline == 3.0
    assert agenda.take_due(2.9) == []
    assert agenda.take_due(3.0) == [Task.NOTIFY]
    assert agenda.next_deadline == inf


def test_what_is_due_comes_earliest_first_and_once() -> None:
    agenda = Agenda()
    agenda.no_later(Task.SAVE_MARKS, 2.0)
    agenda.no_later(Task.CATCH_UP, 1.0)
    agenda.no_later(Task.NOTIFY, 9.0)
    assert agenda.take_due(2.0) == [Task.CATCH_UP, Task.SAVE_MARKS]
    assert agenda.take_due(2.0) == []


def test_a_task_keeps_its_distance_from_the_last_time() -> None:
    agenda = Agenda()
    agenda.no_later(Task.NOTIFY, 0.0, after_last=1.0)
    assert agenda.take_due(0.0) == [Task.NOTIFY]
    agenda.no_later(Task.NOTIFY, 0.1, after_last=1.0)
    assert agenda.next_deadline == 1.0


def test_a_deadline_that_is_set_replaces_the_last_one_and_may_vanish() -> None:
    agenda = Agenda()
    agenda.set(Task.EXPIRE_TYPING, 3.0)
    agenda.set(Task.EXPIRE_TYPING, 6.0)
    assert agenda.next_deadline == 6.0
    agenda.set(Task.EXPIRE_TYPING, inf)
    assert agenda.next_deadline == inf


def test_it_says_when_a_deadline_came_or_is_sooner() -> None:
    agenda = Agenda()
    agenda.no_later(Task.NOTIFY, 5.0)
    assert agenda.is_new
    agenda.is_new = False
    agenda.no_later(Task.NOTIFY, 6.0)
    agenda.set(Task.EXPIRE_TYPING, inf)
    assert not agenda.is_new
    agenda.no_later(Task.NOTIFY, 4.0)
    assert agenda.is_new
    agenda.is_new = False
    agenda.set(Task.EXPIRE_TYPING, 9.0)
    assert agenda.is_new
