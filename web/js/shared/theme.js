/**
 * Light or dark: what the device says, unless the reader has chosen. Every page loads this before it is painted
 * (`blocking="render"`), so that nothing flashes.
 *
 * @typedef {"light" | "dark" | "evening" | "auto"} Theme  `evening`: dark from seven at night, for screens on a wall
 */

import { forget, recall, remember } from "./memory.js";

const KEY = "theme";
const DARK_FROM = 19;
const DARK_UNTIL = 7;

/** What the reader has chosen on this device. @returns {Theme} */
export function chosenTheme() {
  const found = recall(KEY);
  return found === "light" || found === "dark" || found === "evening" ? found : "auto";
}

/** @param {Theme} theme */
export function chooseTheme(theme) {
  if (theme === "auto") forget(KEY);
  else remember(KEY, theme);
  applyTheme();
}

/** Whether the page is dark now, for whatever reason. */
export function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}

/**
 * Show the theme that is chosen.
 *
 * @param {number} [hour]  the hour where the screen hangs; without it, this device's own
 */
export function applyTheme(hour = new Date().getHours()) {
  const chosen = chosenTheme();
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset.theme;
  else if (chosen === "evening") root.dataset.theme = hour >= DARK_FROM || hour < DARK_UNTIL ? "dark" : "light";
  else root.dataset.theme = chosen;
}

if (typeof document !== "undefined") applyTheme();
