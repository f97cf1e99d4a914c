import { WeekTimes } from "../components/week-times.js";
import { showFieldError } from "../components/field-error.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";
import { dayOf, offsetName, timeOf } from "../shared/local-time.js";

/**
 * @typedef {import("./asking.js").Booking} Booking
 * @typedef {import("./asking.js").Service} Service
 * @typedef {import("../components/free-times.js").Slot} Slot
 * @typedef {"loading" | "service" | "time" | "about" | "off" | "nothing"} Step
 * @typedef {"name" | "phone" | "email"} FieldName
 * @typedef {{step: Step, booking: Booking | null, serviceId: number | null, providerId: number | null, slot: Slot | null}} Look
 */

const MINUTE_MS = 60_000;

/** Paints the page, and reads its fields. */
export class BookPage {
  services = find("[data-services]");
  timeForm = /** @type {HTMLFormElement} */ (find("[data-time-form]"));
  aboutForm = /** @type {HTMLFormElement} */ (find("[data-about-form]"));
  provider = /** @type {HTMLSelectElement} */ (find("[data-provider]"));
  fields = {
    name: /** @type {HTMLInputElement} */ (find("#name")),
    phone: /** @type {HTMLInputElement} */ (find("#phone")),
    email: /** @type {HTMLInputElement} */ (find("#email")),
  };
  earlier = /** @type {HTMLInputElement} */ (find("#earlier"));
  times;

  /** @param {import("../components/week-times.js").Load} load @param {(slot: Slot | null) => void} choose */
  constructor(load, choose) {
    this.times = new WeekTimes(find("[data-times]"), load, choose, "book");
  }

  /** Show a step. Its title gets the focus when it is another one than before. @param {Look} look */
  paint(look) {
    const { step, booking, serviceId } = look;
    const before = document.body.dataset.step;
    document.body.dataset.step = step;
    setText(find("[data-site]"), booking?.site.name ?? "");
    const { title, lead } = textsOf(step);
    setText(find("[data-title]"), title);
    setText(find("[data-lead]"), lead);
    find("[data-lead]").hidden = lead === "";
    document.title = booking === null ? title : `${title} · ${booking.site.name}`;
    this.services.hidden = step !== "service";
    this.timeForm.hidden = step !== "time";
    this.aboutForm.hidden = step !== "about";
    const service = booking?.services.find(({ id }) => id === serviceId);
    if (booking !== null && step === "service") this.#paintServices(booking.services);
    if (booking !== null && step === "time") this.#paintProviders(booking, service, look.providerId);
    this.#paintChosen(look, service);
    this.paintGo(look.slot);
    if (before !== step && before !== "loading") find("[data-title]").focus({ preventScroll: true });
    if (before !== step) scrollTo(0, 0);
  }

  /** Name the chosen time on the button. @param {Slot | null} slot */
  paintGo(slot) {
    setText(find("[data-go]"), slot === null ? t("book.go") : t("book.go.time", { time: timeOf(slot.local_start) }));
    const differs = slot !== null && -new Date(slot.starts_at).getTimezoneOffset() !== slot.offset_minutes;
    find("[data-clock]").hidden = !differs;
  }

  /** Show how long the time is kept. @param {{minutes: number, isOver: boolean, kept: object | null}} hold */
  paintHold({ minutes, isOver, kept }) {
    const line = find("[data-kept]");
    line.classList.toggle("is-over", isOver);
    setText(line, kept === null ? t("book.keeping") : isOver ? t("book.lapsed") : t("book.kept", { n: minutes }));
  }

  /** Show an error beside a field, or remove it. @param {FieldName} name @param {string} text */
  showError(name, text) {
    showFieldError(this.fields[name], text);
  }

  /** Show why it does not go on, above a button. @param {string} text */
  showProblem(text) {
    setText(find("[data-time-problem]"), text);
    setText(find("[data-about-problem]"), text);
  }

  /** Show what has happened, above the step. @param {string} text */
  showWarning(text) {
    setText(find("[data-warning]"), text);
  }

  /** Show that the page has no connection, or remove the notice. @param {boolean} away */
  showAway(away) {
    const notice = find("[data-notice]");
    setText(notice, away ? t("book.offline") : "");
    notice.classList.toggle("is-shown", away);
  }

  /** Mark the button of a form as busy: a second touch sends nothing. @param {HTMLFormElement} form @param {boolean} busy */
  setBusy(form, busy) {
    find("[type=submit]", form).setAttribute("aria-busy", String(busy));
  }

  /** @param {HTMLFormElement} form */
  isBusy(form) {
    return find("[type=submit]", form).getAttribute("aria-busy") === "true";
  }

  /** @param {Service[]} services */
  #paintServices(services) {
    updateList(
      this.services,
      services,
      ({ id }) => id,
      ({ id }) => {
        const button = element("button", { type: "button", className: "book-service" }, element("span", {}));
        button.dataset.service = String(id);
        return button;
      },
      (button, { name, names }) => setText(find("span", button), nameIn(name, names)),
    );
  }

  /**
   * @param {Booking} booking
   * @param {Service | undefined} service
   * @param {number | null} chosen
   */
  #paintProviders({ providers }, service, chosen) {
    const offering = providers.filter(({ id }) => service?.provider_ids.includes(id));
    find("[data-person-field]").hidden = offering.length < 2;
    const options = offering.map(({ id, name }) => element("option", { value: String(id) }, name));
    this.provider.replaceChildren(element("option", { value: "" }, t("book.anyone")), ...options);
    this.provider.value = chosen === null ? "" : String(chosen);
  }

  /** @param {Look} look @param {Service | undefined} service */
  #paintChosen({ step, booking, slot }, service) {
    const many = (booking?.services.length ?? 0) > 1;
    const showService = service !== undefined && (step === "time" || step === "about") && (many || step === "about");
    const showTime = slot !== null && step === "about";
    find("[data-chosen]").hidden = !showService && !showTime;
    find("[data-chosen-service]").hidden = !showService;
    find("[data-chosen-time]").hidden = !showTime;
    find('[data-change="service"]').hidden = !many;
    if (service !== undefined) setText(find("[data-service-name]"), nameIn(service.name, service.names));
    if (slot === null) return;
    const person = booking?.providers.find(({ id }) => id === slot.provider_id)?.name;
    setText(find("[data-time]"), whenOf(slot));
    setText(find("[data-person]"), person === undefined ? "" : t("book.with", { name: person }));
  }
}

/** Return the day and the time of a slot. The second of two equal local times has its offset. @param {Slot} slot */
export function whenOf({ local_start: local, fold, offset_minutes: offset }) {
  const time = fold === 0 ? timeOf(local) : `${timeOf(local)} (${offsetName(offset)})`;
  return t("book.at", { day: dayOf(local), time });
}

/** Return an instant of the refusal's end as the site's clock shows it. @param {number} seconds @param {number} offset */
export function timeAfter(seconds, offset) {
  return timeOf(new Date(Date.now() + seconds * 1_000 + offset * MINUTE_MS).toISOString().slice(0, 16));
}

/**
 * @param {Step} step
 * @returns {{title: string, lead: string}}
 */
function textsOf(step) {
  switch (step) {
    case "service":
      return { title: t("book.title"), lead: t("book.service") };
    case "time":
      return { title: t("book.time"), lead: "" };
    case "about":
      return { title: t("book.about"), lead: "" };
    case "off":
      return { title: t("book.off"), lead: t("book.off.lead") };
    case "nothing":
      return { title: t("book.off"), lead: t("book.nothing.lead") };
    default:
      return { title: t("book.title"), lead: "" };
  }
}
