/** The mark of a patient who has not received a message, in words. It loads with the first mark: see `readMarks`. */

import { t } from "../shared/i18n.js";

/** @typedef {import("../live/cells.js").UnreachedMessage} UnreachedMessage */

/** The mark in a word or two. */
export const shortMark = () => t("unreached.short");

/**
 * Return the mark as a note of a row.
 *
 * @param {UnreachedMessage} unreached
 */
export function markOf({ kind, problem, told }) {
  if (told) return { kind: "told", text: t("unreached.told") };
  const message = t(`unreached.kind.${kind}`);
  return { kind: "unreached", text: t(problem === "perhaps" ? "unreached.mark.unsure" : "unreached.mark", { message }) };
}

/**
 * Return the mark in a sentence, with the way and the reason.
 *
 * @param {UnreachedMessage} unreached
 */
export function detailOf(unreached) {
  const { kind, way, problem, told } = unreached;
  if (told) return markOf(unreached);
  const about = t(`unreached.about.${kind}`);
  const unsure = problem === "perhaps";
  const text = unsure ? t(`unreached.unsure.${way}`, { about }) : t(`unreached.detail.${way}`, { about, problem: t(`unreached.problem.${problem}`) });
  return { kind: "unreached", text };
}
