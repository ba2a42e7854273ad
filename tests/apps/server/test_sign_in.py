"""Wrong passwords are counted by user and address."""

from spectrabridge.apps.server.sign_in import (
    LOCKED_SECONDS,
    MAX_COUNTED,
    MAX_WRONG_FROM_ADDRESS,
    MAX_WRONG_PASSWORDS,
    WrongPasswords,
)


def test_a_user_waits_after_so_many_and_not_at_other_addresses():
    now = [0.0]
    wrong = WrongPasswords(lambda: now[0])
    for _ in range(MAX_WRONG_PASSWORDS):
        assert not wrong.locked("maria", "a")
        wrong.add("maria", "a")
    assert wrong.locked("maria", "a")
    assert not wrong.locked("cecilia", "a")
    assert not wrong.locked("maria", "b")
    now[0] = LOCKED_SECONDS + 1
    assert not wrong.locked("maria", "a")


def test_an_address_waits_whoever_it_says_it_is():
    wrong = WrongPasswords()
    for number in range(MAX_WRONG_FROM_ADDRESS):
        wrong.add(f"user{number}", "a")
    assert wrong.locked("maria", "a")
    assert not wrong.locked("maria", "b")


def test_who_signs_in_is_counted_anew():
    wrong = WrongPasswords()
    for _ in range(MAX_WRONG_PASSWORDS):
        wrong.add("maria", "a")
    wrong.forget("maria", "a")
    assert not wrong.locked("maria", "a")


def test_names_without_end_take_no_memory_without_end(monkeypatch):
    monkeypatch.setattr("spectrabridge.apps.server.sign_in.MAX_COUNTED", 10)
    wrong = WrongPasswords()
    for number in range(1000):
        wrong.add(f"user{number}", f"address{number}")
    assert len(wrong._counts) == 10
    assert MAX_COUNTED > 1000
