"""Unknown senders, shared phones, pictures, repeats: a person looks, and nobody is guessed."""

from sqlalchemy import func, select

from followup.core.vocabulary import AlertKind, Tier
from followup.store.models import QuestionnaireResponse
from tests.world import Person, World


def test_a_stranger_gets_a_neutral_answer_and_a_person_looks(world: World) -> None:
    stranger = Person(world, "+12025550177")
    stranger.texts("hello is this the knee place")
    assert len(stranger.received) == 1
    [alert] = world.alerts()
    assert (alert.kind, alert.tier) == (AlertKind.UNKNOWN_SENDER, Tier.ROUTINE)


def test_a_shared_phone_never_binds_a_number_and_danger_pages_for_all(world: World) -> None:
    nurse = world.staff()
    ana = world.enrol(phone="+12025550178")
    ben = world.enrol(phone="+12025550178", shared=True, says_yes=False)
    world.forward(days=1)
    ana.forget()
    ana.texts("9")
    with world.session() as session:
        assert session.scalar(select(func.count()).select_from(QuestionnaireResponse)) == 0
    assert {alert.kind for alert in world.alerts()} == {AlertKind.SHARED_PHONE}
    ana.texts("he is not breathing right and his lips are blue")
    paged = [text for text in nurse.received if "EMERGENCY" in text or "got worse" in text]
    assert len(paged) >= 2
    assert ben.patient is not None


def test_a_picture_without_words_is_read_by_a_person(world: World) -> None:
    ana = world.enrol()
    ana.forget()
    ana.texts("", media=1)
    assert len(ana.received) == 1
    assert world.alerts()[-1].tier is Tier.ROUTINE


def test_the_same_text_delivered_five_times_has_one_effect(world: World) -> None:
    world.staff()
    ana = world.enrol()
    ana.forget()
    for _ in range(5):
        ana.texts("my throat is closing up", sid="SM" + "7" * 32)
    assert len(ana.received) == 1
    assert len(world.alerts()) == 1


def test_while_an_emergency_is_open_only_safety_texts_go_out(world: World) -> None:
    world.staff()
    ana = world.enrol()
    ana.texts("i want to kill myself")
    ana.forget()
    world.forward(days=1, hours=8)
    assert ana.received
    assert not [text for text in ana.received if "How is your pain" in text]


def test_danger_words_from_a_phone_of_staff_page_like_a_strangers(world: World) -> None:
    nurse = world.staff()
    nurse.texts("this is her husband she took all her pills and wont wake up")
    [alert] = world.alerts()
    assert (alert.kind, alert.tier) == (AlertKind.UNKNOWN_SENDER, Tier.EMERGENCY)
    assert any("codes only" in text for text in nurse.received)
    assert any("EMERGENCY" in text for text in nurse.received)


def test_harmless_words_from_a_phone_of_staff_raise_nothing(world: World) -> None:
    nurse = world.staff()
    nurse.texts("thanks, on my way")
    assert world.alerts() == []


def test_beside_an_open_emergency_a_plain_text_is_not_put_off_to_the_next_day(world: World) -> None:
    world.staff()
    ana = world.enrol()
    ana.texts("i want to kill myself")
    ana.forget()
    ana.texts("can someone call me now?")
    assert len(ana.received) == 1
    assert "added to what we have" in ana.last
