import { find, setText } from "../shared/dom.js";
import { currentLanguage, t } from "../shared/i18n.js";
import { chooseTheme, chosenTheme } from "../shared/theme.js";
import { hasSerial, hasUsb } from "./transports.js";

const TOUCHES = 5;
const WITHIN_MS = 4_000;
const SHOWN_MS = 60_000;

/**
 * The panel of the staff: the printer, the appearance, full screen. It opens with five touches on the name of the clinic,
 * and closes after a minute.
 */
export class Panel {
  #panel = find("[data-panel]");
  #screen;
  /** @type {number[]} */
  #touches = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {import("./screen.js").KioskScreen} screen */
  constructor(screen) {
    this.#screen = screen;
    const { printer } = screen;
    find("[data-site]").addEventListener("pointerup", ({ timeStamp }) => this.#count(timeStamp));
    printer.addEventListener("change", () => this.#paint());
    const theme = /** @type {HTMLSelectElement} */ (find("[data-theme-choice]", this.#panel));
    theme.value = chosenTheme();
    theme.addEventListener("change", () => chooseTheme(/** @type {import("../shared/theme.js").Theme} */ (theme.value)));
    const baud = /** @type {HTMLSelectElement} */ (find("[data-baud]", this.#panel));
    baud.value = String(printer.baud);
    baud.addEventListener("change", () => (printer.baud = Number(baud.value)));
    find('[data-panel-action="usb"]').hidden = !hasUsb();
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (this.#panel.querySelectorAll("[data-serial]"))) each.hidden = !hasSerial();
  }

  /** React to a button of the panel. @param {HTMLElement} button */
  act({ dataset }) {
    const { printer } = this.#screen;
    switch (dataset.panelAction) {
      case "usb":
      case "serial":
        void printer.choose(dataset.panelAction);
        break;
      case "test":
        void printer.print(testSlip(this.#screen.site), Date.now());
        break;
      case "full-screen":
        void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen?.())?.catch(() => {});
        break;
      default:
        this.#close();
    }
  }

  /** @param {number} at */
  #count(at) {
    this.#touches = [...this.#touches.filter((each) => at - each < WITHIN_MS), at];
    if (this.#touches.length < TOUCHES) return;
    this.#touches = [];
    this.#panel.hidden = false;
    this.#paint();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#close(), SHOWN_MS);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#panel.hidden = true;
  }

  #paint() {
    const { printer, printing } = this.#screen;
    const state = printing === "escpos" ? (printer.state ?? "missing") : printing;
    setText(find("[data-printer-state]", this.#panel), t(`kiosk.printer.${state}`));
  }
}

/**
 * Return a slip without a ticket.
 *
 * @param {import("../live/cells.js").KioskSite | undefined} site
 * @returns {import("../shared/slip.js").Slip}
 */
function testSlip(site) {
  return {
    label: "A000",
    token: "",
    address: location.origin,
    site: site?.name ?? "",
    time_zone: site?.time_zone ?? "UTC",
    queue: t("kiosk.panel.test"),
    queue_names: {},
    language: currentLanguage(),
    site_language: site?.language ?? "en",
    party: 1,
    opened_at: Date.now(),
    ahead: null,
    expect_from: null,
    expect_until: null,
  };
}
