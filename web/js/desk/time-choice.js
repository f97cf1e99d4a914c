import { freeTimes } from "../components/free-times.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { dateAfter, dayOf } from "../shared/local-time.js";
import { momentOf, ruleText } from "./appointment-texts.js";
import { fieldOf, optionsOf, pairOf } from "./form-parts.js";

/**
 * @typedef {import("../components/free-times.js").Slot} Slot
 *
 * @typedef {object} Clinic  what the dialogs of appointments know of the site
 * @property {number} siteId
 * @property {string} today  the site's business day, YYYY-MM-DD
 * @property {string} zone  an IANA time zone
 * @property {string} language
 * @property {{id: number, name: string}[]} services
 * @property {{id: number, name: string}[]} providers
 * @property {(action: string) => boolean} may
 *
 * @typedef {object} Wanted  the first choice of the dialog; null leaves it open
 * @property {number | null} service
 * @property {number | null} provider
 * @property {string} date  YYYY-MM-DD
 * @property {string | null} local  the wished time, YYYY-MM-DDTHH:MM
 * @property {number | null} minutes  the length; null: the usual one
 *
 * @typedef {{local_start: string, fold: number, provider_id: number | null, free: boolean}} ChosenTime  `free`: the list has
 *   it; else only an overbooking can take it
 */

const WIDE_SEARCH_DAYS = 30;
const ASK_MS = 250;

/**
 * The part of a dialog that chooses the time of an appointment: service, provider, date, and one of the free times. A wished
 * time that is not free has its reason beside it, and those who may can overbook it.
 *
 * @param {string} id  of the dialog
 * @param {{anyone: boolean, chosen: (time: ChosenTime | null) => void}} options  `anyone`: the provider may stay open
 */
export function timeChoice(id, { anyone, chosen }) {
  const fields = {
    service: element("select"),
    provider: element("select"),
    date: element("input", { type: "date", required: true }),
    wish: element("input", { type: "time", step: "300" }),
    overbook: element("input", { maxLength: 200, autocomplete: "off" }),
  };
  const serviceField = fieldOf(`${id}-service`, t("appointment.service"), fields.service);
  const wishField = fieldOf(`${id}-wish`, t("appointment.wish"), fields.wish);
  const overbookField = fieldOf(`${id}-overbook`, t("appointment.overbook"), fields.overbook);
  const day = element("legend");
  const later = element("button", { type: "button", className: "button is-quiet", hidden: true });
  const why = element("p", { className: "slot-why", role: "status" });
  const place = element("div");
  const times = element("fieldset", { className: "choices slot-choice" }, day, place, later);
  const list = freeTimes(place, pick, `${id}-time`);
  const part = element(
    "div",
    { className: "time-choice" },
    pairOf(serviceField, fieldOf(`${id}-provider`, t("appointment.provider"), fields.provider), fieldOf(`${id}-date`, t("appointment.date"), fields.date)),
    times,
    pairOf(wishField, overbookField),
    why,
  );
  const lists = new LatestRequest();
  const explanations = new LatestRequest();
  /** @type {Clinic | null} */
  let clinic = null;
  /** @type {number | null} */
  let minutes = null;
  /** The wished time that is not in the list. @type {string | null} */
  let wished = null;
  /** How often the user has chosen a time. */
  let choices = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const providerId = () => Number(fields.provider.value) || null;

  /** @param {Slot} slot */
  function pick(slot) {
    choices += 1;
    wished = null;
    fields.wish.value = slot.local_start.slice(11);
    overbookField.hidden = true;
    setText(why, "");
    report();
  }

  /** Tell the dialog which time is chosen. */
  function report() {
    const slot = list.chosen;
    if (slot !== null) chosen({ local_start: slot.local_start, fold: slot.fold, provider_id: providerId(), free: true });
    else if (wished !== null) chosen({ local_start: wished, fold: 0, provider_id: providerId(), free: false });
    else chosen(null);
  }

  /**
   * @param {string} from
   * @param {string} until
   * @returns {Promise<Slot[] | null>}  null: another request has replaced this one
   */
  async function slotsOf(from, until) {
    const asked = new URLSearchParams({ service_id: fields.service.value, from, until });
    if (providerId() !== null) asked.set("provider_id", fields.provider.value);
    if (minutes !== null) asked.set("minutes", String(minutes));
    const answer = await lists.get(`/api/v1/sites/${clinic?.siteId}/slots?${asked}`);
    return answer === null ? null : answer.data;
  }

  /** List the free times of the date, and choose the wished one if it is free. @param {string | null} local */
  async function refresh(local) {
    const date = fields.date.value;
    wished = null;
    later.hidden = true;
    setText(why, "");
    if (date === "" || fields.service.value === "") return;
    setText(day, dayOf(date));
    list.wait();
    const before = choices;
    try {
      const found = await slotsOf(date, date);
      if (found === null) return;
      // The earlier list stays in use while the new one is on its way: a choice in it counts. Its time may be missing in
      // the new list because this dialog holds it by now.
      const picked = choices === before || wished !== null ? null : list.chosen;
      if (choices !== before) local = wished ?? picked?.local_start ?? local;
      const isThere = found.some((slot) => slot.local_start === picked?.local_start);
      list.show(picked === null || isThere ? found : [...found, picked].sort((a, b) => a.starts_at - b.starts_at));
      list.select(null);
      overbookField.hidden = true;
      if (found.length === 0) await offerLater(date);
      if (local !== null) wish(local);
      else report();
    } catch {
      list.show([]);
      setText(why, t("error.unreachable"));
    }
  }

  /** Offer the first later day that has a free time. @param {string} date */
  async function offerLater(date) {
    const found = await slotsOf(dateAfter(date, 1), dateAfter(date, WIDE_SEARCH_DAYS));
    const first = found?.[0]?.local_start.slice(0, 10);
    if (first === undefined) return;
    setText(later, t("appointment.first_free", { day: dayOf(first) }));
    later.dataset.date = first;
    later.hidden = false;
  }

  /** Choose a wished time: in the list, or say why it is not there. @param {string} local */
  function wish(local) {
    fields.wish.value = local.slice(11);
    const slot = list.select({ local_start: local, fold: 0 });
    if (slot !== null) {
      pick(slot);
      return;
    }
    choices += 1;
    wished = local;
    overbookField.hidden = !clinic?.may("overbook");
    report();
    void explain(local);
  }

  /** @param {string} local */
  async function explain(local) {
    const asked = new URLSearchParams({ service_id: fields.service.value, at: local });
    if (providerId() !== null) asked.set("provider_id", fields.provider.value);
    if (minutes !== null) asked.set("minutes", String(minutes));
    try {
      const answer = await explanations.get(`/api/v1/sites/${clinic?.siteId}/slots/why?${asked}`);
      if (answer === null || wished !== local) return;
      const reason = answer.rule === null ? "" : ruleText(answer.rule);
      setText(why, [t("slot.why", { time: momentOf(local), reason }), answer.closure?.reason ?? ""].filter(Boolean).join(" "));
    } catch {
      setText(why, t("slot.why", { time: momentOf(local), reason: ruleText("no_such_time") }));
    }
  }

  for (const each of [fields.service, fields.provider]) {
    each.addEventListener("change", () => void refresh(wished ?? list.chosen?.local_start ?? null));
  }
  fields.date.addEventListener("change", () => void refresh(null));
  fields.wish.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => fields.wish.value !== "" && fields.date.value !== "" && wish(`${fields.date.value}T${fields.wish.value}`), ASK_MS);
  });
  later.addEventListener("click", async () => {
    fields.date.value = later.dataset.date ?? "";
    await refresh(null);
    list.focus();
  });

  return {
    element: part,
    /**
     * Start with these choices.
     *
     * @param {Clinic} now
     * @param {Wanted} wanted
     */
    open(now, wanted) {
      clinic = now;
      minutes = wanted.minutes;
      serviceField.hidden = wanted.minutes !== null; // an appointment that exists keeps its service
      fields.service.replaceChildren(...optionsOf(now.services));
      fields.service.value = String(wanted.service ?? now.services[0]?.id ?? "");
      const options = optionsOf(now.providers);
      fields.provider.replaceChildren(...(anyone ? [element("option", { value: "" }, t("appointment.anyone"))] : []), ...options);
      fields.provider.value = wanted.provider === null ? (anyone ? "" : fields.provider.value) : String(wanted.provider);
      fields.date.value = wanted.date;
      fields.wish.value = "";
      fields.overbook.value = "";
      overbookField.hidden = true;
      return refresh(wanted.local);
    },
    /** List the free times again, because the chosen one is gone. The reason stays to be read. */
    async refresh() {
      await refresh(null);
    },
    /** The service. */
    get serviceId() {
      return Number(fields.service.value);
    },
    /** Whether the user may book a time that is not free. */
    get mayOverbook() {
      return clinic?.may("overbook") ?? false;
    },
    /** The reason of an overbooking; undefined for a free time. @returns {string | undefined} */
    get overbook() {
      return overbookField.hidden ? undefined : fields.overbook.value.trim() || undefined;
    },
    focus() {
      if (!list.focus()) fields.date.focus();
    },
    cancel() {
      clearTimeout(timer);
      lists.cancel();
      explanations.cancel();
    },
  };
}
