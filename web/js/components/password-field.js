import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * Connect the button that shows and hides a password. Returns a function that hides it.
 *
 * Call that function before the form is sent: a browser saves a password field that is sent as text.
 *
 * @param {ParentNode} field  has an input and a button with `data-show`
 */
export function connectPasswordField(field) {
  const input = /** @type {HTMLInputElement} */ (find("input", field));
  const button = /** @type {HTMLButtonElement} */ (find("[data-show]", field));

  /** @param {boolean} visible */
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.setAttribute("aria-label", visible ? t("sign_in.hide.name") : t("sign_in.show.name"));
    setText(find("span", button), visible ? t("sign_in.hide") : t("sign_in.show"));
  };

  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  button.disabled = false;
  return () => show(false);
}
