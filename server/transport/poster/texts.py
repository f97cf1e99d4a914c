"""The texts of the poster for joining by phone, by language. A new language needs a row here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.domain.model import languages

RIGHT_TO_LEFT = frozenset({"ar"})


@dataclass(frozen=True, slots=True)
class PosterTexts:
    """The poster in one language. ``short`` says all the steps in one sentence, for the languages below the first."""

    title: str
    scan: str
    choose: str
    follow: str
    type: str
    short: str
    no_phone: str


TEXTS: dict[str, PosterTexts] = {
    "en": PosterTexts(
        title="Join the queue with your phone",
        scan="Scan this code with your camera.",
        choose="Choose your queue and see the wait.",
        follow="Follow your place from anywhere.",
        type="Or type this address:",
        short="Scan the code, choose your queue, and follow your place on your phone.",
        no_phone="No phone? Please ask at the desk.",
    ),
    "es": PosterTexts(
        title="Únase a la cola con su teléfono",
        scan="Escanee este código con la cámara.",
        choose="Elija su cola y vea la espera.",
        follow="Siga su lugar desde cualquier sitio.",
        type="O escriba esta dirección:",
        short="Escanee el código, elija su cola y siga su lugar en el teléfono.",
        no_phone="¿Sin teléfono? Pregunte en el mostrador.",
    ),
    "fr": PosterTexts(
        title="Rejoignez la file avec votre téléphone",
        scan="Scannez ce code avec l’appareil photo.",
        choose="Choisissez votre file et voyez l’attente.",
        follow="Suivez votre place où que vous soyez.",
        type="Ou saisissez cette adresse\u202f:",
        short="Scannez le code, choisissez votre file et suivez votre place sur votre téléphone.",
        no_phone="Pas de téléphone\u202f? Adressez-vous à l’accueil.",
    ),
    "ar": PosterTexts(
        title="انضم إلى الطابور بهاتفك",
        scan="امسح هذا الرمز بكاميرا هاتفك.",
        choose="اختر طابورك واطّلع على مدة الانتظار.",
        follow="تابع دورك من أي مكان.",
        type="أو اكتب هذا العنوان:",
        short="امسح الرمز، واختر طابورك، وتابع دورك على هاتفك.",
        no_phone="لا هاتف لديك؟ يرجى السؤال عند مكتب الاستقبال.",
    ),
}


def spoken(tags: Iterable[str]) -> list[str]:
    """Return the languages of the poster for the languages of a site: each once, in their order.

    English if no language is known.
    """
    found = (languages.lookup([tag], TEXTS) for tag in tags)
    return list(dict.fromkeys(each for each in found if each is not None)) or ["en"]
