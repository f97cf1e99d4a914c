/** Measurements inside a page. The debugger evaluates this file, so that the policy of the page does not block it. */
window.judge = (() => {
  const PARTS = ["", "::before", "::after"];
  const LOOKS = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor", "textDecoration", "clipPath"];
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const ink = (text) => text.replace(/\s+/g, " ").trim().slice(0, 40);
  const named = (each) => `${each.tagName.toLowerCase()} ${each.id || each.className} "${ink(each.textContent)}"`;
  const looks = (each) =>
    PARTS.map((part) => LOOKS.map((name) => getComputedStyle(each, part || null)[name]).join()).join("|");
  const root = () => document.querySelector("dialog[open]") ?? document.body;
  const before = new WeakMap();

  /** Return the innermost elements that reach beyond ``width``, by their box or by what flows out of it. */
  function beyond(width) {
    const reach = (each) => {
      const { left, right } = each.getBoundingClientRect();
      return getComputedStyle(each).overflowX === "visible" ? Math.max(right, left + each.scrollWidth) : right;
    };
    const all = [...root().querySelectorAll("*")].filter((each) => reach(each) > width);
    return all
      .filter((each) => !all.some((other) => other !== each && each.contains(other)))
      .map((each) => `${named(each)} to ${reach(each)}`);
  }

  /** Return the texts outside the screen that only horizontal scrolling can reach. */
  function outside() {
    const width = document.documentElement.clientWidth;
    const whole = document.scrollingElement.scrollWidth;
    const found = whole > width ? [`the page is ${whole} wide: ${beyond(width).join(", ")}`] : [];
    for (const each of root().querySelectorAll("*")) {
      if (!each.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      if (![...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
      let apart = false; // in a part that scrolls by itself, or a text for screen readers
      for (let within = each; within && within !== document.body; within = within.parentElement) {
        const style = getComputedStyle(within);
        if (/auto|scroll/.test(style.overflowX) && within.scrollWidth > within.clientWidth) apart = true;
        if (style.clipPath !== "none") apart = true;
      }
      const { left, right } = each.getBoundingClientRect();
      if (!apart && (right > width + 1 || left < -1)) found.push(`${named(each)} from ${left} to ${right}`);
    }
    return found;
  }

  /** Return the elements that Tab must reach, by a key. Radio buttons with one name count as one element. */
  function reachable() {
    const wanted = {};
    let n = 0;
    for (const each of root().querySelectorAll(FOCUSABLE)) {
      if (each.disabled || each.tabIndex < 0 || !each.checkVisibility({ visibilityProperty: true })) continue;
      if (each.closest("[inert]")) continue;
      each.dataset.reached = each.type === "radio" ? `radio ${each.name}` : String(n++);
      wanted[each.dataset.reached] = named(each);
    }
    document.activeElement?.blur?.();
    for (const each of [root().parentElement, root(), ...root().querySelectorAll("*")]) before.set(each, looks(each));
    return wanted;
  }

  /** Return the focused element, and whether it or its container looks different with the focus. */
  function focused() {
    const found = document.activeElement;
    if (found === null || found === document.body) return null;
    const around = [found, found.parentElement, found.parentElement?.parentElement].filter(Boolean);
    const seen = around.some((each) => looks(each) !== before.get(each));
    return { key: found.dataset.reached ?? "", seen, name: named(found) };
  }

  /** Return the box around the ticket label of a call. */
  function ticketBox(label) {
    const all = [...document.querySelectorAll(`[data-call="${label}"], [data-call="${label}"] *`)];
    const { x, y, width, height } = all.filter((each) => each.textContent.trim() === label).pop().getBoundingClientRect();
    return { x, y, width, height };
  }

  const luminance = (colour) =>
    [16, 8, 0]
      .map((by) => ((colour >> by) & 255) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);

  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  /**
   * Return the height and the contrast of the letters in a picture. The most common colour is the ground. The next three
   * fill strokes, not edges: of these the colour with the highest contrast to the ground is the ink.
   */
  async function letters(png) {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data, width } = context.getImageData(0, 0, image.width, image.height);
    const at = (index) => (data[index] << 16) | (data[index + 1] << 8) | data[index + 2];
    const counts = new Map();
    for (let index = 0; index < data.length; index += 4) counts.set(at(index), (counts.get(at(index)) ?? 0) + 1);
    const common = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
    const ground = common[0];
    const ink = common.slice(0, 4).sort((a, b) => contrast(b, ground) - contrast(a, ground))[0];
    const half = Math.sqrt(contrast(ink, ground));
    const rows = new Set();
    for (let index = 0; index < data.length; index += 4) {
      if (contrast(at(index), ground) >= half) rows.add(Math.floor(index / 4 / width));
    }
    const height = Math.max(...rows) - Math.min(...rows) + 1;
    return { height, contrast: contrast(ink, ground), ink: ink.toString(16), ground: ground.toString(16) };
  }

  return { outside, reachable, focused, ticketBox, letters };
})();
