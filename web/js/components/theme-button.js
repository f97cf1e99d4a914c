import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { chooseTheme, isDark } from "../shared/theme.js";

const SVG = "http://www.w3.org/2000/svg";
const SUN = "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-6v2m0 16v2M2 12h2m16 0h2M4.9 4.9l1.4 1.4m11.4 11.4 1.4 1.4m0-14.2-1.4 1.4M6.3 17.7l-1.4 1.4";
const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z";

/** Return a button that turns the page light or dark. `show` names it anew when the language is another. */
export function themeButton() {
  const button = element("button", { className: "button is-quiet theme-button", type: "button" });
  const show = () => {
    button.replaceChildren(icon(isDark() ? SUN : MOON));
    button.setAttribute("aria-label", t(isDark() ? "theme.light" : "theme.dark"));
  };
  show();
  button.addEventListener("click", () => {
    chooseTheme(isDark() ? "light" : "dark");
    show();
  });
  return { element: button, show };
}

/** @param {string} path */
function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}
