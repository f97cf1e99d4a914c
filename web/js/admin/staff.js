/** The section of the staff: members, invitations, and how each member signs in. */

import { errorMessage } from "../desk/error-messages.js";
import { CommandFailed } from "../shared/commands.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { confirmChange } from "./confirm.js";
import { ownFactorNote } from "./own-factor.js";
import { inviteColleague, showLink } from "./staff-links.js";
import { openMember } from "./staff-member.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{id: number, username: string, role: string, active: boolean, second_factor: boolean, signed_in_at: number | null}} Member
 * @typedef {{id: number, username: string | null, role: string, expires_at: number}} Invitation
 */

/** Accounts are no part of the live view: the section reads them again after each change, and while it is looked at. */
const LOOK_AGAIN_MS = 10_000;
const MOST = 200;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const staff = new Staff(root, context);
  await staff.read();
  staff.keepFresh();
}

/** The lists of the section. */
class Staff {
  #context;
  #pending = element("section", { className: "group", "aria-labelledby": "staff-pending", hidden: true });
  #invitations = element("ul", { className: "staff-list" });
  #members = element("ul", { className: "staff-list" });

  /** @param {HTMLElement} root @param {Context} context */
  constructor(root, context) {
    this.#context = context;
    const invite = element("button", { className: "button is-primary", type: "button" }, t("admin.staff.invite"));
    invite.dataset.invite = "";
    invite.addEventListener("click", () => void this.#invite());
    this.#pending.append(element("h2", { id: "staff-pending" }, t("admin.staff.pending")), this.#invitations);
    root.append(
      ownFactorNote(context),
      element("p", {}, invite),
      this.#pending,
      element(
        "section",
        { className: "group", "aria-labelledby": "staff-members" },
        element("h2", { id: "staff-members" }, t("admin.staff.list")),
        this.#members,
      ),
    );
  }

  /** Read both lists and show them. Throws `CommandFailed`. */
  async read() {
    const [members, invitations] = await Promise.all([this.#all("/api/v1/staff"), this.#all("/api/v1/invitations")]);
    this.#show(members, invitations);
  }

  /** Read the lists again while the section is open and visible: another administrator may have changed something. */
  keepFresh() {
    const look = () => {
      if (document.visibilityState === "visible") void this.read().catch(() => {});
    };
    const timer = setInterval(look, LOOK_AGAIN_MS);
    const { signal } = this.#context;
    document.addEventListener("visibilitychange", look, { signal });
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /**
   * Return all rows of a list, page by page.
   *
   * @param {string} address
   * @returns {Promise<any[]>}
   */
  async #all(address) {
    const found = [];
    let after = "";
    do {
      const { data, pagination } = await this.#context.ask(`${address}?page_size=${MOST}${after}`);
      found.push(...data);
      after = pagination.next === null ? "" : `&after=${encodeURIComponent(pagination.next)}`;
    } while (after !== "");
    return found;
  }

  /** @param {Member[]} members @param {Invitation[]} invitations */
  #show(members, invitations) {
    this.#pending.hidden = invitations.length === 0;
    updateList(this.#invitations, invitations, ({ id }) => id, (each) => this.#invitationRow(each), () => {});
    const sorted = [...members].sort((one, other) => Number(other.active) - Number(one.active) || one.username.localeCompare(other.username));
    updateList(this.#members, sorted, ({ id }) => id, () => this.#memberRow(), (row, each) => this.#updateMember(row, each));
  }

  /** @param {Invitation} invitation */
  #invitationRow({ id, username, role, expires_at }) {
    const name = username ?? t("admin.staff.pending.unnamed");
    const button = element("button", { className: "button", type: "button", "aria-label": t("admin.staff.revoke.name", { name }) }, t("admin.staff.revoke"));
    button.addEventListener("click", () => void this.#revoke(id));
    const details = t("admin.staff.pending.row", { role: t(`role.${role}`), day: formatDay(expires_at, this.#context.zone) });
    return element("li", { className: "staff-row" }, element("div", {}, element("p", { className: "staff-name" }, name), element("p", { className: "staff-details" }, details)), button);
  }

  #memberRow() {
    const button = element("button", { className: "button", type: "button" }, t("admin.staff.change"));
    return element(
      "li",
      { className: "staff-row" },
      element("div", {}, element("p", { className: "staff-name" }), element("p", { className: "staff-details" }), element("p", { className: "staff-marks" })),
      button,
    );
  }

  /** @param {HTMLElement} row @param {Member} member */
  #updateMember(row, member) {
    const { username, role, active, second_factor: factor, signed_in_at: at } = member;
    const own = member.id === this.#context.user.id;
    row.dataset.member = username;
    row.classList.toggle("is-off", !active);
    const marks = find(".staff-marks", row);
    setText(find(".staff-name", row), own ? `${username} (${t("admin.staff.you")})` : username);
    const { zone } = this.#context;
    const last = at === null ? t("admin.staff.never") : t("admin.staff.signed_in", { day: formatDay(at, zone), time: formatTime(at, zone) });
    setText(find(".staff-details", row), `${t(`role.${role}`)} · ${last}`);
    const shown = [...(active ? [] : [["off", t("admin.staff.inactive")]]), ...(factor ? [["factor", t("admin.staff.factor")]] : [])];
    if (marks.textContent !== shown.map(([, text]) => text).join("")) {
      marks.replaceChildren(...shown.map(([kind, text]) => element("span", { className: `staff-mark is-${kind}` }, text ?? "")));
    }
    const button = /** @type {HTMLButtonElement} */ (find("button", row));
    button.setAttribute("aria-label", t("admin.staff.change.name", { name: username }));
    button.onclick = () => void this.#open(member);
  }

  async #invite() {
    const made = await inviteColleague(this.#context);
    if (made === null) return;
    await this.#refresh();
    await showLink(made, this.#context);
  }

  /** @param {Member} member */
  async #open(member) {
    const change = await openMember(member, this.#context.user.id);
    try {
      if (change === null) return;
      if (change.kind === "reset") {
        const made = await this.#context.ask(`/api/v1/staff/${member.id}/reset-link`, { method: "POST" });
        await showLink(made, this.#context);
      } else if (change.sessionsEnd && !(await this.#confirmed(member, change))) return;
      else {
        await this.#context.ask(`/api/v1/staff/${member.id}${change.path}`, { method: change.method, ...(change.body === undefined ? {} : { body: change.body }) });
        this.#context.say(change.said, change.undo === null ? null : () => this.#undo(member, change.undo ?? {}));
      }
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      this.#context.complain(error);
    }
    await this.#refresh();
  }

  /** @param {Member} member @param {object} body */
  async #undo(member, body) {
    await this.#context.ask(`/api/v1/staff/${member.id}`, { method: "PATCH", body });
    await this.#refresh();
    this.#context.say(t("admin.undone"));
  }

  /**
   * List the sessions that a change ends, and ask.
   *
   * @param {Member} member
   * @param {import("./staff-member.js").Change} change
   */
  async #confirmed({ id }, { title, yes }) {
    const { data } = await this.#context.ask(`/api/v1/sessions?staff_id=${id}&page_size=${MOST}`);
    const first = data.slice(0, 5).map(deviceName);
    const affects = data.length === 0 ? [] : [{ kind: "session", count: data.length, first }];
    return confirmChange(affects, { title, lead: t(data.length === 0 ? "admin.staff.ask.none" : "admin.staff.ask.lead"), yes });
  }

  /** @param {number} id */
  async #revoke(id) {
    try {
      await this.#context.ask(`/api/v1/invitations/${id}`, { method: "DELETE" });
      this.#context.say(t("admin.staff.revoked"));
    } catch (error) {
      this.#context.complain(error);
    }
    await this.#refresh();
  }

  async #refresh() {
    try {
      await this.read();
    } catch (error) {
      if (error instanceof CommandFailed) this.#context.say(errorMessage(error));
    }
  }
}

/** @param {{browser: string | null, platform: string | null}} session */
function deviceName({ browser, platform }) {
  if (browser === null) return platform ?? t("admin.staff.program");
  return platform === null ? browser : t("admin.staff.device", { browser, platform });
}
