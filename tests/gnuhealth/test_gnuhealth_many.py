"""A clinic's worth of bookings, compared with what the clinic's own system then tells."""

from pathlib import Path

from tests.gnuhealth.desk import Harness
from tests.systems.gnuhealth import Clinic
from tests.systems.many import BOOKED, CANCELLED, MOVED, Held, book_move_and_cancel
from zimun_sync.testing.remotes.rig import RemoteRig


def test_bookings_of_which_some_are_moved_and_some_cancelled_are_all_there(
    clinic: Clinic, tmp_path: Path
) -> None:
    harness = Harness(clinic)
    try:
        with RemoteRig(tmp_path, harness) as rig:
            expected = book_move_and_cancel(rig)
            written = BOOKED * 2 + MOVED + CANCELLED // 2  # patients, too
            assert harness.system.writes() == written
            assert seen_in(clinic) == expected
            assert_everybody_has_one_appointment(clinic)
            rig.replay()
            rig.deliver()
            assert harness.system.writes() == written
    finally:
        harness.close()


def seen_in(clinic: Clinic) -> dict[str, Held]:
    """What the clinic's appointments say, by our key; how long they are, they say in words."""
    return {
        each["name"]: Held(
            each["appointment_date"],
            int(each["comments"].rpartition(", ")[2].removesuffix(" min")),
            each["state"] == "user_cancelled",
        )
        for each in clinic.appointments()
    }


def assert_everybody_has_one_appointment(clinic: Clinic) -> None:
    patients = {each["id"]: each["party."]["lastname"] for each in clinic.patients()}
    booked = {each["name"]: patients.pop(each["patient"]) for each in clinic.appointments()}
    assert not patients
    assert booked == {f"main/a_{number:05}": str(number) for number in range(BOOKED)}
