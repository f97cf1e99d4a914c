/**
 * The sections of the administrator's pages, in the order of the navigation. A section is one module and one row here.
 *
 * The page opens a section at `/admin/{id}`. It imports the module then, so a section adds nothing to the start of the page.
 * The module exports `open(root, context)`: it fills `root`, and uses `context.onView` and `context.signal` for all that has
 * to end with the section.
 *
 * @typedef {import("./context.js").Context} Context
 * @typedef {object} Section
 * @property {string} id    its part of the address
 * @property {string} icon  a path of 24 by 24, drawn with a line
 * @property {string} may   the right that a user needs to see the section
 * @property {() => Promise<{open: (root: HTMLElement, context: Context) => unknown}>} load
 *
 * The texts `admin.{id}` and `admin.{id}.lead` are its title and the sentence below the title.
 */

/** @type {Section[]} */
const SECTIONS = [
  {
    id: "start",
    icon: "M5 21V4h14l-3 4.5 3 4.5H5",
    may: "hide-checklist",
    load: () => import("./first-steps.js"),
  },
  {
    id: "clinic",
    icon: "M4 21V9l8-6 8 6v12h-6v-6h-4v6z",
    may: "change-site",
    load: () => import("./clinic.js"),
  },
  {
    id: "queues",
    icon: "M4 6h16M4 12h16M4 18h10",
    may: "change-queue",
    load: () => import("./queues.js"),
  },
  {
    id: "points",
    icon: "M5 21V4a1 1 0 0 1 1-1h12a1 1 0 0 1 1 1v17M3 21h18M15 12h.01",
    may: "change-point",
    load: () => import("./points.js"),
  },
  {
    id: "appointments",
    icon: "M4 6h16v14H4zM4 10h16M8 3v4m8-4v4M8 14h3",
    may: "add-schedule",
    load: () => import("./appointments.js"),
  },
  {
    id: "import",
    icon: "M12 3v12m-5-5 5 5 5-5M4 20h16",
    may: "import-appointments",
    load: () => import("./import.js"),
  },
  {
    id: "screens",
    icon: "M4 5h16v11H4zM9 20h6m-3-4v4",
    may: "pair-devices",
    load: () => import("./screens.js"),
  },
  {
    id: "channels",
    icon: "M4 5h16v14H4zM4 6l8 7 8-7",
    may: "manage-channels",
    load: () => import("./channels.js"),
  },
  {
    id: "messages",
    icon: "M4 5h16v11H9l-5 4zM8 9h8M8 12h5",
    may: "read-messages",
    load: () => import("./messages.js"),
  },
  {
    id: "texts",
    icon: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4M12 20h8",
    may: "edit-message-texts",
    load: () => import("./message-texts.js"),
  },
  {
    id: "staff",
    icon: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7 10v-2a5 5 0 0 1 5-5h4a5 5 0 0 1 5 5v2M16 3.2a4 4 0 0 1 0 7.6M22 21v-2a5 5 0 0 0-3.5-4.7",
    may: "manage-staff",
    load: () => import("./staff.js"),
  },
  {
    id: "figures",
    icon: "M4 20h16M7 16v-5m5 5V6m5 10v-8",
    may: "read-statistics",
    load: () => import("./figures.js"),
  },
  {
    id: "keys",
    icon: "M14.5 9.5a4 4 0 1 0-3.6 4L13 15.6h2v2h2v2h3v-3l-5.7-5.7",
    may: "manage-api-keys",
    load: () => import("./keys.js"),
  },
  {
    id: "webhooks",
    icon: "M12 3v8m0 0-5 8m5-8 5 8M12 3a2 2 0 1 0 .01 0M6 17a2 2 0 1 0 .01 0M18 17a2 2 0 1 0 .01 0",
    may: "manage-channels",
    load: () => import("./webhooks.js"),
  },
  {
    id: "audit",
    icon: "M7 3h8l4 4v14H7zM10 12h6M10 16h6M10 8h2",
    may: "read-audit",
    load: () => import("./audit.js"),
  },
  {
    id: "system",
    icon: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01",
    may: "read-system",
    load: () => import("./system.js"),
  },
];

/**
 * Return the sections that a user may see.
 *
 * @param {(action: string) => boolean} may
 */
export const sectionsFor = (may) => SECTIONS.filter((each) => may(each.may));

/**
 * Return the id of the section in a path: "" for the page's own address.
 *
 * @param {string} path
 */
export const sectionIn = (path) => decodeURIComponent(/^\/admin\/([^/]+)$/.exec(path)?.[1] ?? "");

/** Return the address of a section. @param {string} id */
export const addressOf = (id) => `/admin/${encodeURIComponent(id)}`;
