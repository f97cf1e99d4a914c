import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";

/**
 * The line of a dialog that requests data when it opens. It says whether they are on their way, are there, or did not
 * arrive; then a button requests them again.
 *
 * @param {{loading: string, arrived: string, failed: string}} texts
 * @param {(answer: any) => void} show  gets the answer
 */
export function requestLine({ loading, arrived, failed }, show) {
  const status = element("span", { role: "status" });
  const again = element("button", { type: "button", className: "button", hidden: true }, t("error_page.again"));
  const lookUp = new LatestRequest();
  let address = "";

  async function request() {
    const focused = document.activeElement === again;
    setText(status, loading);
    again.setAttribute("aria-busy", "true");
    try {
      const answer = await lookUp.get(address);
      if (answer === null) return; // the dialog shows another appointment by now
      show(answer);
      setText(status, arrived);
      again.hidden = true;
      // A hidden button loses the focus, and with it the place of a user without a pointer.
      if (focused) /** @type {HTMLElement | null} */ (again.closest("dialog")?.querySelector("input, [data-close]"))?.focus();
    } catch {
      setText(status, failed);
      again.hidden = false;
    }
    again.removeAttribute("aria-busy");
  }

  again.addEventListener("click", () => {
    if (again.getAttribute("aria-busy") !== "true") void request();
  });
  return {
    element: element("p", { className: "request-line" }, status, again),
    /** @param {string} wanted  the address */
    request(wanted) {
      address = wanted;
      again.hidden = true;
      void request();
    },
    /** Give up the request when a dialog closes. @param {HTMLDialogElement} dialog */
    cancelWith(dialog) {
      // The event comes late: the user may have opened the dialog again, and then needs the new answer.
      dialog.addEventListener("close", () => dialog.open || lookUp.cancel());
    },
  };
}
