const SVG = "http://www.w3.org/2000/svg";

/** Return the arrow from a ticket to its point. It is a drawing, so that it does not depend on a font. */
export function arrowIcon() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "arrow");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M3 12h17m-7-7 7 7-7 7");
  svg.append(path);
  return svg;
}
