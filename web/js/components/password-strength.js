/** The strength of a new password, as the server judges it, while the user types. */

import { find, setText } from "../shared/dom.js";
import { hasText, t } from "../shared/i18n.js";
import { post } from "../shared/request.js";

const WAIT_MS = 400;
const LEAST_CHARACTERS = 12;

/**
 * Follow the input of a new password. The server's rules decide; without an answer nothing is shown.
 *
 * @param {HTMLInputElement} input
 * @param {HTMLElement} meter  has a `data-strength-text`; its attribute `data-score` is set
 * @param {string} address  of the server's judgement
 * @param {() => Record<string, string>} more  for the body, besides the password
 */
export function showStrength(input, meter, address, more = () => ({})) {
  const text = find("[data-strength-text]", meter);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = 0;

  /** @param {number} score @param {string} words */
  const show = (score, words) => {
    meter.dataset.score = String(score);
    setText(text, words);
  };

  const look = async () => {
    const mine = (asked += 1);
    const password = input.value;
    try {
      const answer = await post(address, { password, ...more() });
      if (!answer.ok || mine !== asked) return;
      const { score, refusal } = await answer.json();
      // A refused password is not half good: two bars at most.
      if (refusal !== null) show(Math.min(score, 2), hasText(`error.${refusal}`) ? t(`error.${refusal}`) : t("error.password_too_common"));
      else show(score, score > 3 ? t("password.strong") : t("password.good"));
    } catch {
      // The form itself says that the server is away.
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    asked += 1; // an answer about an earlier text comes too late
    const { length } = input.value;
    if (length === 0) show(-1, t("password.advice"));
    else if (length < LEAST_CHARACTERS) show(0, t("password.more", { n: LEAST_CHARACTERS - length }));
    else timer = setTimeout(() => void look(), WAIT_MS);
  });
  show(-1, t("password.advice"));
}
