import { errorMessage } from "../desk/error-messages.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { clearErrors, showError } from "./form-errors.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Device} Device
 */

const CODE = /^[A-Z0-9]{6}$/;
const NEW = "new";

/**
 * The dialog by which a screen that shows a code becomes one of the site's displays, or one of its kiosks; opened for one of
 * them, it also signs that one out.
 *
 * @param {HTMLDialogElement} dialog
 * @param {object} does
 * @param {(name: string) => Promise<number>} does.add   adds a display; resolves with its id
 * @param {(code: string, deviceId: number) => Promise<void>} does.pair
 * @param {(device: Device) => void} does.signOut
 * @param {(name: string) => void} does.paired           told when it is done
 * @returns {{open: (desk: Desk, device: Device | null) => void}}
 */
export function pairDialog(dialog, { add, pair, signOut, paired }) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const code = /** @type {HTMLInputElement} */ (find("[name=code]", form));
  const which = /** @type {HTMLSelectElement} */ (find("[name=device]", form));
  const name = /** @type {HTMLInputElement} */ (find("[name=name]", form));
  const submit = find("[type=submit]", form);
  const out = /** @type {HTMLButtonElement} */ (find("[data-sign-out-device]", dialog));
  /** @type {Device | null} */
  let device = null;

  const showName = () => {
    find("[data-new-name]", form).hidden = which.value !== NEW;
  };
  which.addEventListener("change", showName);

  /** @param {boolean} sure */
  function askOut(sure) {
    out.dataset.sure = String(sure);
    setText(out, sure ? t("pair.sign_out.sure") : t("pair.sign_out"));
  }
  out.addEventListener("click", () => {
    if (out.dataset.sure !== "true") askOut(true); // a waiting room goes dark by it: once more
    else if (device !== null) {
      dialog.close();
      signOut(device);
    }
  });

  /** Return the id of the device that is meant, added now if it is new. */
  async function meant() {
    if (which.value !== NEW) return Number(which.value);
    const added = name.value.trim();
    const id = await add(added);
    // Should the code turn out wrong, the display is there by now: the next attempt is about that one.
    which.prepend(element("option", { value: String(id) }, added));
    which.value = String(id);
    showName();
    return id;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    const entered = code.value.replace(/[\s-]/g, "").toUpperCase();
    if (!CODE.test(entered)) {
      showError(form, "code", t("pair.error.code"));
      return;
    }
    if (which.value === NEW && !name.value.trim()) {
      showError(form, "name", t("pair.error.name"));
      return;
    }
    submit.setAttribute("aria-busy", "true");
    try {
      await pair(entered, await meant());
      dialog.close();
      paired(which.selectedOptions[0]?.textContent ?? "");
    } catch (error) {
      const refused = /** @type {{code?: string}} */ (error).code;
      if (refused === "pairing_not_found") showError(form, "code", errorMessage(error));
      else if (refused === "name_taken") showError(form, "name", errorMessage(error));
      else setText(find('[data-error="form"]', form), errorMessage(error));
    } finally {
      submit.removeAttribute("aria-busy");
    }
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());

  return {
    open(desk, chosen) {
      device = chosen;
      form.reset();
      clearErrors(form);
      setText(find("h2", dialog), chosen === null ? t("pair.title") : t("pair.title.of", { name: chosen.name }));
      const known = [...desk.displays, ...desk.kiosks];
      which.replaceChildren(
        ...known.map(({ id, name }) => element("option", { value: String(id) }, name)),
        element("option", { value: NEW }, t("pair.new")),
      );
      // Most likely it is one that nobody has set up yet.
      which.value = String(chosen?.id ?? known.find((each) => !each.paired)?.id ?? NEW);
      showName();
      out.hidden = chosen === null || !chosen.paired;
      askOut(false);
      dialog.showModal();
      code.focus();
    },
  };
}
