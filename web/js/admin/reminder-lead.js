/** How long before an appointment a reminder goes out, in words. */

import { t } from "../shared/i18n.js";

/**
 * Return the time before an appointment: "3 days before", "2 hours before".
 *
 * @param {number} hours
 */
export function reminderLead(hours) {
  return hours % 24 ? t("admin.clinic.reminders.hours", { n: hours }) : t("admin.clinic.reminders.days", { n: hours / 24 });
}
