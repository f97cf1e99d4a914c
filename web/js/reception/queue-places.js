/** Where in its queue an entry may be put. Pure. */

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * Return those of an entry's queue behind whom it may be placed, in order: who waits there now with the same urgency.
 *
 * @param {Desk} desk
 * @param {Entry} entry
 * @returns {Entry[]}
 */
export function neighboursOf(desk, entry) {
  return (desk.open.get(entry.queue) ?? []).filter(
    (each) => each.id !== entry.id && each.state === "waiting" && each.absent_until === null && each.rank[0] === entry.rank[0],
  );
}

/**
 * Return behind whom a row is that was dropped before another (null: at the end): the id, or null for the first place.
 *
 * @param {Entry[]} neighbours
 * @param {readonly number[]} order  the ids of the queue's rows as they are shown
 * @param {number | null} before
 * @returns {number | null}
 */
export function entryAboveDrop(neighbours, order, before) {
  const places = new Map(order.map((id, index) => [id, index]));
  const limit = before === null ? order.length : (places.get(before) ?? order.length);
  return neighbours.findLast(({ id }) => (places.get(id) ?? order.length) < limit)?.id ?? null;
}
