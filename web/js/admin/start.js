/** The administrator's page: its frame, and one section at a time by the address. Each role has the sections of its rights. */

import { showLive } from "../components/live-mark.js";
import { showReaderSettings } from "../components/reader-settings.js";
import { endSession, followAsStaff, leaveToSignIn, whenSignedIn } from "../desk/staff-session.js";
import { element, find, icon, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, t, useClock } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { homeOf, keepSessionFresh } from "../shared/session.js";
import { Administration } from "./context.js";
import { addressOf, sectionIn, sectionsFor } from "./sections.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./sections.js").Section} Section
 */

/** The name under which this browser remembers the last site. Reception uses the same. */
const SITE = "site";

/** Start the page, once the session is known. */
export async function startAdmin() {
  addTexts("admin");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  const trouble = find("[data-trouble]");
  await whenSignedIn(openSite, (unreachable) => setText(trouble, unreachable ? t("error.unreachable") : ""));
}

/**
 * Open the site that this browser had last, or else the first.
 *
 * @param {Session} session
 */
function openSite({ user, sites }) {
  const remembered = Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  const allowed = new Set(user.may);
  const sections = sectionsFor((action) => allowed.has(action));
  for (const part of document.querySelectorAll("[data-needs]")) /** @type {HTMLElement} */ (part).hidden = !allowed.has(/** @type {HTMLElement} */ (part).dataset.needs ?? "");
  setText(find("[data-who]"), user.username);
  if (sections.length === 0) refuse(homeOf(user.role));
  else if (site === undefined) setText(find("[data-trouble]"), t("desk.no_site"));
  else openAdministration(site, { user, sites }, sections);
}

/**
 * Say that no section is for the role of the user.
 *
 * @param {string} home  of the user's role
 */
function refuse(home) {
  document.body.dataset.live = "refused";
  setText(find("[data-lead]"), t("admin.forbidden"));
  find("[data-section]").replaceChildren(element("p", {}, element("a", { className: "button", href: home }, t("admin.forbidden.home"))));
  find("[data-sign-out]").addEventListener("click", () => void endSession());
}

/**
 * @param {Site} site
 * @param {Session} session
 * @param {Section[]} sections
 */
function openAdministration(site, { user, sites }, sections) {
  keepSessionFresh();
  // Who may not see the set-up has sections that need the site alone, which the desk shows, too.
  const setUp = user.may.includes("follow-configuration");
  const { connection } = setUp ? followAsStaff(`/live/sites/${site.id}/configuration`, `configuration:${site.id}`) : followAsStaff(`/live/sites/${site.id}/desk`, `site:${site.id}`);
  const notice = find(".notice");
  const paint = () => {
    const cell = connection.view.cells.get("site");
    if (cell !== undefined) {
      useClock(cell.clock);
      if (sites.length < 2) setText(find("[data-site]"), cell.name);
    }
    showLive(connection, { page: "admin", mark: find(".live-mark"), notice, zone: cell?.time_zone ?? site.time_zone });
  };
  for (const event of ["view", "state"]) connection.addEventListener(event, paint);
  paint();
  showSites(site, sites);
  find("[data-sign-out]").addEventListener("click", () => {
    connection.close();
    void endSession();
  });
  const administration = new Administration({ site, sites, user, connection, signedOut: leaveToSignIn });
  startRouting(administration, sections);
}

/**
 * @param {Site} site
 * @param {Site[]} sites
 */
function showSites(site, sites) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = String(site.id);
  select.addEventListener("change", () => {
    remember(SITE, select.value);
    location.reload();
  });
  find(".site-choice").hidden = sites.length < 2;
  if (sites.length > 1) setText(find("[data-site]"), "");
}

/**
 * Show the navigation, and open the section of the address now and whenever the address changes.
 *
 * @param {Administration} administration
 * @param {Section[]} sections  at least one
 */
function startRouting(administration, sections) {
  const links = new Map(sections.map((section) => [section.id, linkTo(section)]));
  find("[data-sections]").replaceChildren(...Array.from(links.values(), (link) => element("li", {}, link)));
  const nav = find("#admin-nav");

  /** @param {boolean} byUser  the user has chosen the section on this page */
  const open = (byUser) => {
    const id = sectionIn(location.pathname) || (sections[0]?.id ?? "");
    const section = sections.find((each) => each.id === id);
    for (const [each, link] of links) {
      if (each === id) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const title = section === undefined ? t("admin.unknown") : t(`admin.${id}`);
    document.title = `${title} · ${t("admin.title")}`;
    setText(find("[data-title]"), title);
    setText(find("[data-lead]"), section === undefined ? t("admin.unknown.lead") : t(`admin.${id}.lead`));
    if (byUser) {
      if (nav.matches(":popover-open")) nav.hidePopover();
      scrollTo(0, 0);
      find("#section").focus({ preventScroll: true }); // a screen reader reads the new section from its title on
    }
    void administration.show(section ?? null);
  };

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const plain = !event.defaultPrevented && event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (link === null || !plain || link.target || link.origin !== location.origin || !links.has(sectionIn(link.pathname))) return;
    event.preventDefault();
    if (link.href !== location.href) history.pushState(null, "", link.href);
    open(true);
  });
  addEventListener("popstate", () => open(true));
  // The menu of a narrow page covers the content: it closes when the focus leaves it.
  nav.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !nav.contains(relatedTarget) && nav.matches(":popover-open")) nav.hidePopover();
  });
  open(false);
}

/** @param {Section} section */
function linkTo({ id, icon: path }) {
  return element("a", { className: "admin-link", href: addressOf(id) + location.search }, icon(path), t(`admin.${id}`));
}
