import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { requestNotifications } from "./turn-alert.js";

const ALERTS = "alerts";

/**
 * The button that turns the alert's sound and notifications on. The browser remembers the choice, but it asks for a touch
 * on every visit before it lets a page sound.
 *
 * @param {import("./page.js").TicketPage} page
 * @returns {{show: () => void}}  `show` shows the button in the language of now
 */
export function connectAlerts({ sound }) {
  const button = find("[data-alerts]");
  const show = () => {
    const on = recall(ALERTS) !== null && sound.ready;
    button.setAttribute("aria-pressed", String(on));
    setText(find("span", button), t(on ? "patient.alerts.on" : "patient.alerts"));
  };
  button.addEventListener("click", async () => {
    remember(ALERTS, "1");
    if (await sound.prepare()) await sound.ring();
    await requestNotifications();
    show();
  });
  sound.addEventListener("change", show);
  if (recall(ALERTS) !== null) document.addEventListener("pointerdown", () => void sound.prepare().then(show), { once: true });
  show();
  return { show };
}
