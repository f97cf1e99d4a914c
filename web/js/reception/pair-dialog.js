import { errorMessage } from "../desk/error-messages.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { clearErrors, showError } from "../desk/form-errors.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Device} Device
 * @typedef {import("./desk.js").Display} Display
 *
 * @typedef {object} Does
 * @property {(name: string, kind: "display" | "kiosk") => Promise<number>} add  adds a device, and resolves with its id
 * @property {(code: string, deviceId: number) => Promise<void>} pair
 * @property {(device: Device) => void} signOut
 * @property {(desk: Desk, display: Display) => void} chooseCalls  opens the dialog for the calls that a display shows
 * @property {(name: string) => void} paired          called after the pairing
 */

const CODE = /^[A-Z0-9]{6}$/;
/** The choices that add a device. @type {Map<string, "display" | "kiosk">} */
const NEW = new Map([["new", "display"], ["new-kiosk", "kiosk"]]);

/** The fields that show the refusal of a code or a name. */
const FIELDS = new Map([["pairing_not_found", "code"], ["name_taken", "name"]]);

/**
 * The dialog that pairs a screen with one of the site's displays or kiosks, by the code on the screen. Opened for a
 * device, it also signs that device out.
 *
 * @param {HTMLDialogElement} dialog
 * @param {Does} does
 * @returns {{open: (desk: Desk, device: Device | null) => void}}
 */
export function pairDialog(dialog, { add, pair, signOut, chooseCalls, paired }) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const which = /** @type {HTMLSelectElement} */ (find("[name=device]", form));
  const submit = find("[type=submit]", form);
  const out = signOutButton(dialog, signOut);
  const calls = find("[data-choose-calls]", dialog);
  /** @type {() => void} */
  let openCalls = () => {};
  calls.addEventListener("click", () => {
    dialog.close();
    openCalls();
  });
  const showName = () => {
    find("[data-new-name]", form).hidden = !NEW.has(which.value);
  };
  which.addEventListener("change", showName);

  /** Return the id of the chosen device. A new one is added now. */
  async function deviceId() {
    const kind = NEW.get(which.value);
    if (kind === undefined) return Number(which.value);
    const name = inputOf(form, "name").value.trim();
    const id = await add(name, kind);
    // The device exists now: if the code is wrong, the next attempt pairs this device.
    which.prepend(element("option", { value: String(id) }, name));
    which.value = String(id);
    showName();
    return id;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    const code = validCode(form, NEW.has(which.value));
    if (code === null) return;
    submit.setAttribute("aria-busy", "true");
    try {
      await pair(code, await deviceId());
      dialog.close();
      paired(which.selectedOptions[0]?.textContent ?? "");
    } catch (error) {
      showRefusal(form, error);
    } finally {
      submit.removeAttribute("aria-busy");
    }
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());

  return {
    open(desk, device) {
      form.reset();
      clearErrors(form);
      setText(find("h2", dialog), device === null ? t("pair.title") : t("pair.title.of", { name: device.name }));
      offerDevices(which, desk, device);
      showName();
      out.offer(device);
      const display = desk.displays.find(({ id }) => id === device?.id);
      calls.hidden = display === undefined;
      openCalls = () => display && chooseCalls(desk, display);
      dialog.showModal();
      inputOf(form, "code").focus();
    },
  };
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
const inputOf = (form, name) => /** @type {HTMLInputElement} */ (find(`[name=${name}]`, form));

/**
 * Offer the site's devices and a new display or kiosk. The first device that is not paired is the most likely one.
 *
 * @param {HTMLSelectElement} select
 * @param {Desk} desk
 * @param {Device | null} device  the device that the dialog is for
 */
function offerDevices(select, desk, device) {
  const known = [...desk.displays, ...desk.kiosks];
  select.replaceChildren(
    ...known.map(({ id, name }) => element("option", { value: String(id) }, name)),
    element("option", { value: "new" }, t("pair.new")),
    element("option", { value: "new-kiosk" }, t("pair.new.kiosk")),
  );
  select.value = String(device?.id ?? known.find(({ paired }) => !paired)?.id ?? "new");
}

/**
 * The button that signs a device out. A waiting room loses its display by it, so it asks a second time.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(device: Device) => void} signOut
 * @returns {{offer: (device: Device | null) => void}}
 */
function signOutButton(dialog, signOut) {
  const button = /** @type {HTMLButtonElement} */ (find("[data-sign-out-device]", dialog));
  /** @type {Device | null} */
  let device = null;
  /** @param {boolean} sure */
  const show = (sure) => {
    button.dataset.sure = String(sure);
    setText(button, sure ? t("pair.sign_out.sure") : t("pair.sign_out"));
  };
  button.addEventListener("click", () => {
    if (button.dataset.sure !== "true") show(true);
    else if (device !== null) {
      dialog.close();
      signOut(device);
    }
  });
  return {
    offer(chosen) {
      device = chosen;
      button.hidden = chosen === null || !chosen.paired;
      show(false);
    },
  };
}

/**
 * Return the code in the form, or null and show the mistake.
 *
 * @param {HTMLFormElement} form
 * @param {boolean} isNew  a new device needs a name
 * @returns {string | null}
 */
function validCode(form, isNew) {
  const code = inputOf(form, "code").value.replace(/[\s-]/g, "").toUpperCase();
  if (!CODE.test(code)) showError(form, "code", t("pair.error.code"));
  else if (isNew && !inputOf(form, "name").value.trim()) showError(form, "name", t("pair.error.name"));
  else return code;
  return null;
}

/**
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
function showRefusal(form, error) {
  const field = FIELDS.get(/** @type {{code?: string}} */ (error).code ?? "");
  if (field === undefined) setText(find('[data-error="form"]', form), errorMessage(error));
  else showError(form, field, errorMessage(error));
}
