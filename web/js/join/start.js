/** The page with which a patient joins a queue on their own phone. */

import { languageChoice, themeButton } from "../components/reader-settings.js";
import { find } from "../shared/dom.js";
import { addTexts, currentLanguage, loadLanguage, preferredLanguages, t, useClock } from "../shared/i18n.js";
import { Refused } from "../shared/visitor-requests.js";
import { Asking } from "./asking.js";
import { JoinPage } from "./page.js";

/**
 * @typedef {import("./asking.js").Joining} Joining
 * @typedef {import("./page.js").State} State
 */

const LOOK_MS = 15_000;
const RETRY_MS = 4_000;
/** The texts of refusals beside the code's field. */
const OF_CODE = /** @type {Record<string, string>} */ ({
  join_code_needed: "join.code.again",
  join_code_old: "join.code.old",
  join_code_wrong: "join.code.wrong",
});

/** The refusals that end by themselves. */
const LATER = /** @type {Record<string, "too_often" | "too_many">} */ ({
  joined_too_often: "too_often",
  joining_too_many: "too_many",
  too_many_joined: "too_many",
});

/** Start the page of the site that the address names. The code of a screen is behind the address's `#`. */
export async function startJoining() {
  addTexts("join");
  await loadLanguage(preferredLanguages()).catch(() => {});
  const visit = new JoinVisit(location.pathname.split("/")[2] ?? "");
  await visit.begin(takeCode());
}

/** Return the code of the address and remove it there, so that nobody copies it with the address. */
function takeCode() {
  const code = decodeURIComponent(location.hash.slice(1));
  if (code !== "") history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** One visit of the page: from the code to the ticket. */
class JoinVisit {
  #asking;
  #page = new JoinPage();
  /** @type {State} */
  #state = { kind: "loading" };
  /** @type {Joining | null} */
  #joining = null;
  /** The server issues one ticket for a key, however often a button is touched. */
  #key = newKey();
  /** The code of the address, until the server has answered. */
  #given = "";
  #away = false;

  /** @param {string} site */
  constructor(site) {
    this.#asking = new Asking(site);
  }

  /** @param {string} code  from the address; "" without one */
  async begin(code) {
    this.#connect();
    this.#given = code;
    await this.#look();
    this.#lookLater();
  }

  #connect() {
    const page = this.#page;
    const languages = languageChoice(() => this.#paint());
    const theme = themeButton();
    find("[data-tools]").append(languages.element, theme.element);
    page.codeForm.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#enterTyped();
    });
    page.queueForm.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#join();
    });
    page.queueForm.addEventListener("change", () => page.showProblem(""));
    for (const sign of ["online", "visibilitychange"]) {
      (sign === "online" ? window : document).addEventListener(sign, () => {
        if (document.visibilityState === "visible") void this.#look();
      });
    }
    // The browser shows this page again after its "back": it is another drawing, with a key of its own.
    window.addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return;
      this.#key = newKey();
      page.setBusy(page.queueForm, false);
      void this.#look();
    });
    window.addEventListener("hashchange", () => {
      const code = takeCode();
      if (code !== "") void this.#enter(code);
    });
  }

  /** Look again and again, while somebody sees the page. */
  #lookLater() {
    setTimeout(
      async () => {
        if (document.visibilityState === "visible") await this.#look();
        this.#lookLater();
      },
      this.#away ? RETRY_MS : LOOK_MS,
    );
  }

  /** Ask for the present state, and show it. */
  async #look() {
    try {
      await this.#show(await this.#asking.look());
      if (this.#given !== "" && this.#joining?.code_needed) await this.#enter(this.#given);
      this.#given = "";
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {Joining} joining */
  async #show(joining) {
    const { site, ticket } = joining;
    if (ticket !== null) {
      showTicket(ticket);
      return;
    }
    const before = this.#state;
    this.#joining = joining;
    this.#setAway(false);
    useClock(site.clock);
    await loadLanguage(preferredLanguages(site.language)).catch(() => {});
    if (before.kind !== "later" || before.until <= joining.now) {
      const kind = joining.state === "closed" ? "closed" : joining.code_needed ? "code" : "open";
      if (kind === "code" && before.kind === "open") this.#page.showError("code", t("join.code.again"));
      this.#state = { kind };
    }
    this.#paint();
  }

  /** @param {boolean} away */
  #setAway(away) {
    this.#away = away;
    this.#page.showAway(away);
  }

  #paint() {
    this.#page.paint(this.#state, this.#joining);
  }

  async #enterTyped() {
    const { code } = this.#page;
    if (code.value.trim() === "") {
      this.#page.showError("code", t("join.code.lead"));
      code.focus();
      return;
    }
    await this.#enter(code.value);
  }

  /** @param {string} code */
  async #enter(code) {
    const page = this.#page;
    if (page.isBusy(page.codeForm)) return;
    page.setBusy(page.codeForm, true);
    try {
      await this.#asking.enter(code.trim());
      page.showError("code", "");
      page.code.value = "";
      await this.#show(await this.#asking.look());
    } catch (error) {
      this.#failed(error);
      page.code.select();
    } finally {
      page.setBusy(page.codeForm, false);
    }
  }

  async #join() {
    const page = this.#page;
    if (page.isBusy(page.queueForm)) return;
    const queueId = page.chosen;
    const phone = page.phone.value.trim();
    page.showProblem("");
    page.showError("phone", "");
    if (queueId === null) {
      page.showProblem(t("join.choose"));
      return;
    }
    if (this.#joining?.phone === "required" && phone === "") {
      page.showError("phone", t("join.phone.error"));
      page.phone.focus();
      return;
    }
    page.setBusy(page.queueForm, true);
    try {
      // A site that phones join from anywhere needs no code, but the server must know the phone again.
      if (!this.#joining?.has_pass) await this.#asking.enter(null);
      const wish = { queue_id: queueId, language: currentLanguage(), phone: phone === "" ? null : phone };
      const { token } = await this.#asking.join(wish, this.#key);
      showTicket(token); // the button stays busy until the page is gone
    } catch (error) {
      page.setBusy(page.queueForm, false);
      this.#failed(error);
    }
  }

  /**
   * Show why something did not work, in the place where the reader looks.
   *
   * @param {unknown} error
   */
  #failed(error) {
    const page = this.#page;
    const { code, details } = error instanceof Refused ? error : new Refused({ code: "unreachable", details: {} });
    const ofCode = OF_CODE[code];
    const why = LATER[code];
    this.#setAway(code === "unreachable");
    if (ofCode !== undefined) {
      this.#state = { kind: "code" };
      this.#paint();
      page.showError("code", t(ofCode));
    } else if (code === "joining_is_off") {
      this.#state = { kind: "off" };
      this.#paint();
    } else if (why !== undefined) {
      const now = this.#joining?.now ?? Date.now();
      this.#state = { kind: "later", why, until: now + details.retry_after * 1_000 };
      this.#paint();
    } else if (code === "phone_number_needed" || details.field === "phone") {
      page.showError("phone", t("join.phone.error"));
      page.phone.focus();
    } else if (code === "queue_is_paused" || code === "queue_full" || code === "queue_not_found" || code === "site_closed") {
      void this.#look(); // the queue's row says why
    } else if (code !== "unreachable") {
      if (this.#state.kind === "code") page.showError("code", t("join.busy"));
      else page.showProblem(t("join.busy"));
    }
  }
}

/** Show the ticket. "Back" does not lead to this page: it has done its work. @param {string} token */
function showTicket(token) {
  const language = new URLSearchParams(location.search).get("lang");
  location.replace(`/t/${token}${language === null ? "" : `?lang=${encodeURIComponent(language)}`}`);
}

/** Return a random key. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
