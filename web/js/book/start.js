/** The page with which a patient books an appointment. */

import { languageChoice, themeButton } from "../components/reader-settings.js";
import { newKey } from "../shared/commands.js";
import { find } from "../shared/dom.js";
import { addTexts, currentLanguage, loadLanguage, preferredLanguages, t, useClock } from "../shared/i18n.js";
import { timeOf } from "../shared/local-time.js";
import { Refused } from "../shared/visitor-requests.js";
import { Asking, isBooked } from "./asking.js";
import { Hold } from "./hold.js";
import { BookPage, timeAfter } from "./page.js";

/**
 * @typedef {import("./asking.js").Booking} Booking
 * @typedef {import("./page.js").Step} Step
 * @typedef {import("./page.js").FieldName} FieldName
 * @typedef {import("../components/free-times.js").Slot} Slot
 * @typedef {{serviceId: number | null, providerId: number | null, slot: Slot | null, key: string,
 *   hold: import("./hold.js").Kept | null, typed: Record<FieldName, string>, earlier: boolean, sent: boolean}} Memory  of the
 *   tab; `sent`: the booking was sent, and its answer may be lost
 */

const RETRY_MS = 4_000;
const REFRESH_MS = 30_000;
const EMAIL = /^[^@\s]{1,64}@[^@\s]{1,180}$/;
const DIGIT = /\p{Nd}/u;
const FIELDS = /** @type {FieldName[]} */ (["name", "phone", "email"]);

/** Start the page of the site that the address names. */
export async function startBooking() {
  addTexts("book");
  await loadLanguage(preferredLanguages()).catch(() => {});
  await new BookVisit(location.pathname.split("/")[2] ?? "").begin();
}

/** One visit of the page: from the service to the appointment. The tab remembers it over a reload. */
class BookVisit {
  #asking;
  #page;
  #hold;
  /** @type {Booking | null} */
  #booking = null;
  /** @type {Step} */
  #step = "loading";
  #name;
  /** @type {Memory} */
  #memory;
  /** Whether the page is on its way to the appointment. */
  #leaving = false;

  /** @param {string} site */
  constructor(site) {
    this.#name = `book:${site}`;
    this.#memory = readMemory(this.#name);
    this.#asking = new Asking(site);
    this.#hold = new Hold(this.#asking, this.#memory.hold);
    this.#page = new BookPage(
      (from, until) => this.#load(from, until),
      (slot) => this.#chosen(slot),
    );
  }

  async begin() {
    this.#connect();
    const kept = this.#memory.hold;
    if (this.#memory.sent && kept !== null && (await isBooked(kept.token))) {
      this.#showAppointment(kept.token);
      return;
    }
    await this.#look();
  }

  #connect() {
    const page = this.#page;
    const languages = languageChoice(() => this.#repaint());
    const theme = themeButton();
    find("[data-tools]").append(languages.element, theme.element);
    for (const name of FIELDS) {
      page.fields[name].value = this.#memory.typed[name];
      page.fields[name].addEventListener("input", () => {
        this.#memory.typed[name] = page.fields[name].value;
        page.showError(name, "");
        this.#remember();
      });
    }
    page.earlier.checked = this.#memory.earlier;
    page.earlier.addEventListener("change", () => {
      this.#memory.earlier = page.earlier.checked;
      this.#remember();
    });
    page.services.addEventListener("click", ({ target }) => {
      const id = /** @type {HTMLElement} */ (target).closest("button")?.dataset.service;
      if (id !== undefined) void this.#pick(Number(id));
    });
    page.provider.addEventListener("change", () => {
      this.#memory.providerId = page.provider.value === "" ? null : Number(page.provider.value);
      this.#remember();
      void page.times.refresh();
    });
    page.timeForm.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#keep();
    });
    page.aboutForm.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#book();
    });
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-change]"))) {
      button.addEventListener("click", () => this.#backTo(/** @type {Step} */ (button.dataset.change)));
    }
    this.#hold.addEventListener("change", () => {
      page.paintHold(this.#hold);
      this.#remember();
    });
    addEventListener("popstate", ({ state }) => void this.#show(state?.step ?? this.#first));
    // The browser shows this page again after its "back": the appointment exists, and another one can be booked.
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
    addEventListener("online", () => void this.#look());
    setInterval(() => this.#step === "time" && document.visibilityState === "visible" && void page.times.refresh(), REFRESH_MS);
  }

  /** Ask for what can be booked, until there is an answer, and show the step of this tab. */
  async #look() {
    try {
      this.#booking = await this.#asking.look();
    } catch (error) {
      if (error instanceof Refused && error.code === "booking_is_off") {
        this.#step = "off";
        this.#paint();
      } else {
        this.#page.showAway(true);
        if (this.#booking === null) setTimeout(() => void this.#look(), RETRY_MS);
      }
      return;
    }
    this.#page.showAway(false);
    const { site, services } = this.#booking;
    useClock(site.clock);
    await loadLanguage(preferredLanguages(site.language)).catch(() => {});
    if (services.length === 0) {
      this.#step = "nothing";
      this.#paint();
      return;
    }
    const known = services.some(({ id }) => id === this.#memory.serviceId);
    if (!known) Object.assign(this.#memory, { serviceId: services.length === 1 ? services[0]?.id : null, slot: null });
    if (this.#step !== "loading") {
      this.#paint();
      return;
    }
    const asked = known ? /** @type {Step | undefined} */ (history.state?.step) : undefined;
    history.replaceState({ step: asked ?? this.#first }, "");
    await this.#show(asked ?? this.#first);
  }

  /** The step at which a visit begins. @returns {Step} */
  get #first() {
    return this.#booking?.services.length === 1 ? "time" : "service";
  }

  /** Go on to a step. "Back" leads to the one before. @param {Step} step */
  async #goTo(step) {
    history.pushState({ step }, "");
    await this.#show(step);
  }

  /** Go back to an earlier step, as with the browser's button. @param {Step} step */
  #backTo(step) {
    const steps = ["service", "time", "about"];
    const by = steps.indexOf(step) - steps.indexOf(this.#step);
    if (by < 0) history.go(by);
  }

  /** @param {Step} step */
  async #show(step) {
    if (this.#booking === null) return;
    const memory = this.#memory;
    const page = this.#page;
    if (step === "time" && memory.serviceId === null) step = "service";
    if (step === "about" && memory.slot === null) step = "time";
    const before = this.#step;
    this.#step = step;
    page.showProblem("");
    if (step !== "time") page.showWarning("");
    this.#paint();
    if (step !== "about") {
      if (before === "about") await this.#giveBack();
      if (step === "time") await page.times.open(this.#booking.today, memory.slot);
      if (step === "time") page.paintGo(page.times.chosen);
      return;
    }
    if (before === "loading" && this.#hold.kept !== null) {
      this.#hold.resume(this.#wish());
      page.paintHold(this.#hold);
    } else if (this.#hold.token === null) await this.#keepAgain();
  }

  /** @param {number} serviceId */
  async #pick(serviceId) {
    if (serviceId !== this.#memory.serviceId) Object.assign(this.#memory, { serviceId, slot: null, providerId: null });
    this.#remember();
    await this.#goTo("time");
  }

  /** @param {string} from @param {string} until */
  async #load(from, until) {
    const { serviceId, providerId } = this.#memory;
    return this.#asking.slots(serviceId ?? 0, providerId, from, until);
  }

  /** @param {Slot | null} slot */
  #chosen(slot) {
    this.#page.showProblem("");
    if (slot !== null) this.#page.showWarning("");
    this.#page.paintGo(slot);
  }

  /** Keep the chosen time, and go on. */
  async #keep() {
    const page = this.#page;
    if (page.isBusy(page.timeForm)) return;
    const slot = page.times.chosen;
    if (slot === null) {
      page.showProblem(t("book.choose"));
      page.times.focus();
      return;
    }
    this.#memory.slot = slot;
    this.#memory.key = newKey();
    this.#memory.sent = false;
    page.setBusy(page.timeForm, true);
    try {
      await this.#hold.take(this.#wish());
      this.#page.showAway(false);
      this.#remember();
      await this.#goTo("about");
    } catch (error) {
      await this.#failed(error);
    } finally {
      page.setBusy(page.timeForm, false);
    }
  }

  /** Keep the time of the tab again: its hold is over, or the visitor has come back to this step. */
  async #keepAgain() {
    this.#page.paintHold(this.#hold);
    try {
      await this.#hold.take(this.#wish());
      this.#page.showAway(false);
      this.#remember();
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #giveBack() {
    await this.#hold.release();
    this.#remember();
  }

  async #book() {
    const page = this.#page;
    if (page.isBusy(page.aboutForm) || this.#leaving) return;
    page.showProblem("");
    const wrong = this.#check();
    if (wrong !== null) {
      page.fields[wrong].focus();
      return;
    }
    page.setBusy(page.aboutForm, true);
    try {
      // A time that is no longer kept may still be free: keep it, then book it.
      if (this.#hold.token === null) await this.#hold.take(this.#wish());
      const { token } = await this.#send();
      this.#showAppointment(token);
    } catch (error) {
      await this.#failed(error);
    } finally {
      page.setBusy(page.aboutForm, false);
    }
  }

  async #send() {
    this.#memory.sent = true;
    this.#remember();
    try {
      return await this.#asking.book(this.#filled(), this.#memory.key);
    } catch (error) {
      const code = error instanceof Refused ? error.code : "";
      const kept = this.#hold.kept?.token;
      // The first answer was lost: the hold has become the appointment.
      if ((code === "command_id_reused" || code === "hold_expired") && kept !== undefined && (await isBooked(kept))) return { token: kept };
      if (code !== "hold_expired") throw error;
      await this.#hold.take(this.#wish());
      return this.#asking.book(this.#filled(), this.#memory.key);
    }
  }

  /** Check the fields; return the first wrong one. @returns {FieldName | null} */
  #check() {
    const { name, phone, email } = this.#values();
    const errors = {
      name: name === "" ? t("book.name.error") : "",
      phone: phone === "" && email === "" ? t("book.reach.error") : phone !== "" && !DIGIT.test(phone) ? t("book.phone.error") : "",
      email: email !== "" && !EMAIL.test(email) ? t("book.email.error") : "",
    };
    for (const each of FIELDS) this.#page.showError(each, errors[each]);
    return FIELDS.find((each) => errors[each] !== "") ?? null;
  }

  /** @returns {Record<FieldName, string>} */
  #values() {
    const { name, phone, email } = this.#page.fields;
    return { name: name.value.trim(), phone: phone.value.trim(), email: email.value.trim() };
  }

  /** @returns {import("./asking.js").Wish} */
  #wish() {
    const { slot, serviceId } = this.#memory;
    if (slot === null || serviceId === null) throw new Error("no time is chosen");
    return { service_id: serviceId, provider_id: slot.provider_id, local_start: slot.local_start, fold: slot.fold, hold_token: this.#hold.token };
  }

  #filled() {
    const { name, phone, email } = this.#values();
    const about = { name, phone: phone || null, email: email || null, language: currentLanguage() };
    return { ...this.#wish(), ...about, wants_earlier: this.#page.earlier.checked };
  }

  /** Say what happened and what to do. What the visitor typed stays. @param {unknown} error */
  async #failed(error) {
    const page = this.#page;
    const { code, details } = error instanceof Refused ? error : new Refused({ code: "unreachable" });
    const { slot } = this.#memory;
    page.showAway(code === "unreachable");
    if (code === "booking_is_off") {
      this.#step = "off";
      this.#paint();
    } else if (code === "slot_taken" || code === "slot_not_offered") {
      if (slot !== null) page.showWarning(t("book.taken", { time: timeOf(slot.local_start) }));
      this.#memory.slot = null;
      this.#remember();
      if (this.#step === "time") await page.times.refresh();
      else this.#backTo("time");
    } else if (code === "too_many_holds" || code === "too_many_booked" || code === "too_many_requests") {
      const time = timeAfter(details.retry_after ?? 60, slot?.offset_minutes ?? 0);
      page.showProblem(t(code === "too_many_holds" ? "book.many_holds" : "book.too_many", { time }));
    } else if (!this.#showFieldErrors(code, details) && code !== "unreachable") page.showProblem(t("book.busy"));
  }

  /**
   * Show the server's refusal of fields beside them. Returns whether there was one.
   *
   * @param {string} code
   * @param {Record<string, any>} details
   */
  #showFieldErrors(code, details) {
    const named = code === "invalid_body" ? (details.fields ?? []).map((/** @type {{field: string}} */ { field }) => field) : [details.field];
    const wrong = FIELDS.filter((each) => named.includes(each));
    const texts = { name: "book.name.error", phone: code === "phone_number_needed" ? "book.reach.error" : "book.phone.error", email: "book.email.error" };
    for (const each of wrong) this.#page.showError(each, t(texts[each]));
    if (wrong[0] !== undefined) this.#page.fields[wrong[0]].focus();
    return wrong.length > 0;
  }

  /** Show the appointment. "Back" does not lead to the forms: they have done their work. @param {string} token */
  #showAppointment(token) {
    this.#leaving = true;
    sessionStorage.removeItem(this.#name);
    const language = new URLSearchParams(location.search).get("lang");
    location.replace(`/a/${token}${language === null ? "" : `?lang=${encodeURIComponent(language)}`}#new`);
  }

  #paint() {
    const { serviceId, providerId, slot } = this.#memory;
    this.#page.paint({ step: this.#step, booking: this.#booking, serviceId, providerId, slot });
  }

  #repaint() {
    this.#paint();
    this.#page.times.repaint();
    if (this.#step === "about") this.#page.paintHold(this.#hold);
    if (this.#step === "time") this.#page.paintGo(this.#page.times.chosen);
  }

  #remember() {
    if (this.#leaving) return;
    this.#memory.hold = this.#hold.kept;
    try {
      sessionStorage.setItem(this.#name, JSON.stringify(this.#memory));
    } catch {
      // private mode: a reload begins again
    }
  }
}

/** @param {string} name @returns {Memory} */
function readMemory(name) {
  const empty = { serviceId: null, providerId: null, slot: null, key: newKey(), hold: null, typed: { name: "", phone: "", email: "" }, earlier: false, sent: false };
  try {
    return { ...empty, ...JSON.parse(sessionStorage.getItem(name) ?? "null") };
  } catch {
    return empty;
  }
}
