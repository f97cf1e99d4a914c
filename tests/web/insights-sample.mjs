/** An answer of `/insights` with every part, for the tests of the page. */

const shown = (values) => ({ hidden: null, ...values });
const few = (...names) => ({ hidden: "few", ...Object.fromEntries(names.map((name) => [name, null])) });

/** The figures of a group of so many patients. */
export function group(count) {
  return {
    entries: shown({ count, tickets: count - 4, served: count - 8, no_shows: 3, left: 2, cancelled: 1, expired: 0, transferred: 2, open: 0 }),
    walk_ins: shown({ count: count - 20, no_shows: 2, left: 1 }),
    wait: shown({ count: count - 3, median_seconds: 720, p90_seconds: 1_500 }),
    still: few("count", "median_seconds", "p90_seconds"),
    gave_up: shown({ count: 0, median_seconds: null, p90_seconds: null }),
    walk: shown({ count: count - 4, median_seconds: 50, p90_seconds: 90 }),
    service: shown({ count: count - 8, median_seconds: 550, p90_seconds: 1_140 }),
    promises: shown({ count: count - 5, held: Math.round(0.9 * (count - 5)), early: Math.round(0.5 * (count - 5)), late_median_seconds: 240, late_p90_seconds: 600 }),
    leaves: shown({ count: Math.round(count / 4), before: Math.round(count / 100) }),
    appointments: shown({ booked: 20, cancelled_early: 2, cancelled_late: 1, missed: 3, expected: 18, kept: 14, to_come: 0 }),
    lead: shown({ count: 20, median_days: 9, p90_days: 30 }),
    open_seconds: null,
  };
}

const hours = [
  ...Array.from({ length: 10 }, (_, at) => ({ hour: 8 + at, second: false, days: 7, ...group(40 + 8 * at), open_seconds: 7 * 3 * 3600 })),
  { hour: 2, second: false, days: 7, ...group(30) },
  { hour: 2, second: true, days: 1, ...group(30) },
];

/** The answer of a week in which the clocks go back. */
export const ANSWER = {
  site_id: 7,
  name: "North clinic",
  time_zone: "Europe/Berlin",
  day_turns_at: "04:00",
  clock: "24",
  offsets: [{ since: 0, minutes: 60 }],
  from: "2026-10-19",
  to: "2026-10-25",
  business_day: "2026-10-25",
  as_of: 1_792_000_000_000,
  offset_from: "+02:00",
  offset_to: "+01:00",
  filter: null,
  clock_changes: [{ business_day: "2026-10-24", kind: "doubled", hour: 2 }],
  missing: null,
  total: group(400),
  services: [{ service_id: 1, name: "Blood test", ...group(200) }, { service_id: 2, name: "Vaccination", ...group(200) }],
  queues: [{ queue_id: 1, name: "Blood", service_id: 1, ...group(400) }],
  providers: [{ provider_id: 1, name: "Dr Ada", ...group(300) }, { provider_id: null, name: null, ...group(100) }],
  hours,
  weekdays: Array.from({ length: 7 }, (_, at) => ({ weekday: at + 1, days: 1, ...group(60) })),
  days: Array.from({ length: 7 }, (_, at) => ({ business_day: `2026-10-${19 + at}`, begins_local: `2026-10-${19 + at}T04:00`, offset: "+02:00", ends_local: `2026-10-${20 + at}T04:00`, end_offset: "+02:00", ...group(50 + 5 * at) })),
  heat: Array.from({ length: 7 }, (_, at) => hours.slice(0, 10).map(({ hour }) => ({ weekday: at + 1, hour, second: false, entries: at === 6 ? null : hour + at, hidden: at === 6 ? "few" : null, open_seconds: null }))).flat(),
  points: [{ point_id: 1, name: "Room 1", hidden: null, calls: 200, open_seconds: 90_000, busy_seconds: 70_000 }, { point_id: 2, name: "Room 2", hidden: null, calls: 180, open_seconds: 90_000, busy_seconds: 45_000 }],
  fairness: { calls: 390, in_order: 350, out_of_order: 40, hidden: null, reasons: [{ reason: "assisted", calls: 60, passing: 40, passed: 70, hidden: null }, { reason: "moved", calls: null, passing: null, passed: null, hidden: "few" }] },
  messages: {
    kinds: [{ kind: "called", way: "sms", open: 0, sent: 90, delivered: 80, undelivered: 2, unknown: 0, failed: 1, suppressed: 0, expired: 0, withdrawn: 3, skipped: 0, hidden: null }],
    reminded: shown({ appointments: 300, missed: 9 }),
    not_reminded: few("appointments", "missed"),
  },
  feedback: { weeks: [{ first_day: "2026-10-12", answers: null, scores: null }, { first_day: "2026-10-19", answers: 40, scores: [1, 2, 5, 12, 20] }], answers: 40, scores: [1, 2, 5, 12, 20] },
};

export const THIRD_NEXT = {
  site_id: 7,
  as_of: 1_792_000_000_000,
  days_ahead: 62,
  services: [{ service_id: 1, name: "Blood test", third: { local_start: "2026-10-29T10:30", offset: "+01:00", days: 3 }, free: 3, providers: [{ provider_id: 1, name: "Dr Ada", third: null, free: 1 }] }],
};
