"""The texts of the mails with a report."""

from __future__ import annotations

TEXTS = {
    "en": {
        "subject": "{clinic}: report for {month}",
        "text": "The report of {clinic} for {month} is attached as a PDF.",
        "groups": "It has figures of groups. Groups of fewer than five patients are hidden.",
        "asked": "Somebody at the clinic who may see the figures asked for this mail: {link}",
        "monthly": "You get this report each month. The clinic can end this: {link}",
    },
    "es": {
        "subject": "{clinic}: informe de {month}",
        "text": "El informe de {clinic} de {month} va adjunto en PDF.",
        "groups": "Contiene cifras de grupos. Los grupos de menos de cinco pacientes están ocultos.",
        "asked": "Lo ha pedido una persona del centro que puede ver las cifras: {link}",
        "monthly": "Usted recibe este informe cada mes. El centro puede dejar de enviarlo: {link}",
    },
    "fr": {
        "subject": "{clinic}\u202f: rapport, {month}",
        "text": "Le rapport de {clinic} ({month}) est joint en PDF.",
        "groups": "Il contient des chiffres de groupes. Les groupes de moins de cinq patients sont masqués.",
        "asked": "Une personne de l\u2019établissement qui peut voir les chiffres l\u2019a demandé\u202f: {link}",
        "monthly": "Vous recevez ce rapport chaque mois. L\u2019établissement peut arrêter l\u2019envoi\u202f: {link}",
    },
    "ar": {
        "subject": "\u2068{clinic}\u2069: تقرير \u2068{month}\u2069",
        "text": "تجدون تقرير \u2068{clinic}\u2069 عن \u2068{month}\u2069 مرفقًا بصيغة PDF.",
        "groups": "يحتوي على أرقام مجموعات. والمجموعات التي تقل عن خمسة مرضى مخفية.",
        "asked": "طلب هذه الرسالة شخص في العيادة يحق له الاطلاع على الأرقام: {link}",
        "monthly": "يصلكم هذا التقرير كل شهر. ويمكن للعيادة إيقافه: {link}",
    },
}
LANGUAGES = tuple(TEXTS)


def mail_with(clinic: str, month: str, language: str, link: str, *, monthly: bool) -> tuple[str, str]:
    """Return the subject and the text of a mail with the report of a month, which is named as people write it."""
    texts = TEXTS[language]
    values = {"clinic": clinic, "month": month, "link": link}
    lines = [texts["text"], texts["groups"], "", texts["monthly" if monthly else "asked"]]
    return texts["subject"].format_map(values), "\n".join(line.format_map(values) for line in lines) + "\n"
