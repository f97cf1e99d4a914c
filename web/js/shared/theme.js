/**
 * The theme: light or dark, as the reader has chosen, or else as the device is set. Every page loads this module before the
 * first paint (`blocking="render"`), so that the theme does not flash.
 *
 * @typedef {"light" | "dark" | "evening" | "auto"} Theme  `evening`: dark from 19:00 to 7:00, for screens on a wall
 */

import { forget, recall, remember } from "./memory.js";

const KEY = "theme";
const DARK_FROM = 19;
const DARK_UNTIL = 7;

/** Return the theme that the reader has chosen on this device. @returns {Theme} */
export function chosenTheme() {
  const found = recall(KEY);
  return found === "light" || found === "dark" || found === "evening" ? found : "auto";
}

/** Remember a theme on this device, and show it. @param {Theme} theme */
export function chooseTheme(theme) {
  if (theme === "auto") forget(KEY);
  else remember(KEY, theme);
  applyTheme();
}

/** Return whether the page is dark now, by choice or by the device's setting. */
export function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}

/**
 * Show the chosen theme.
 *
 * @param {number} [hour]  the hour at the site; the device's own without it
 */
export function applyTheme(hour = new Date().getHours()) {
  const chosen = chosenTheme();
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset.theme;
  else if (chosen === "evening") root.dataset.theme = hour >= DARK_FROM || hour < DARK_UNTIL ? "dark" : "light";
  else root.dataset.theme = chosen;
}

if (typeof document !== "undefined") applyTheme();
